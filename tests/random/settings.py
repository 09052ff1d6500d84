"""Random settings of both sessions."""

import random

SWITCHES = ("enable_hashjoin", "enable_mergejoin", "enable_nestloop", "enable_material", "enable_memoize", "enable_sort", "enable_hashagg", "enable_incremental_sort",
            "enable_async_append", "enable_partition_pruning", "enable_gathermerge", "enable_seqscan",
            "shard_fdw.enable_sharded_scan", "shard_fdw.enable_ordered_merge", "shard_fdw.enable_result_passthrough", "shard_fdw.enable_insert_by_copy", "shard_fdw.enable_batched_join")
OTHERS = {
    "enable_partitionwise_join": ("on", "off"), "enable_partitionwise_aggregate": ("on", "off"), "work_mem": ("64kB", "4MB"), "hash_mem_multiplier": ("1", "2"), "timezone": ("UTC", "America/New_York", "Asia/Kolkata"),
    "datestyle": ("ISO, MDY", "SQL, DMY", "German"), "intervalstyle": ("postgres", "iso_8601", "sql_standard"), "bytea_output": ("hex", "escape"), "extra_float_digits": ("1", "0", "3"), "plan_cache_mode": ("force_generic_plan", "force_custom_plan", "auto"),
    "constraint_exclusion": ("partition", "off", "on"), "from_collapse_limit": ("1", "8"), "join_collapse_limit": ("1", "8"), "geqo_threshold": ("2", "12"), "cursor_tuple_fraction": ("0.01", "1"), "cpu_tuple_cost": ("0.01", "1"),
    "default_transaction_isolation": ("read committed", "repeatable read"), "force_parallel_mode": ("off", "off", "on"), "random_page_cost": ("1", "100"),
}


OPTIONS = {"fdw_tuple_cost": ("0.01", "1", "100"), "use_remote_estimate": ("false", "false", "false", "true"), "fetch_size": ("1", "7", "100"), "batch_size": ("1", "4", "1000")}


def of_servers():
    """Options of the four servers, for some of them others than for the rest."""
    cost = random.choice(OPTIONS["fdw_tuple_cost"])
    return [
        f"ALTER SERVER db{number} OPTIONS (SET fdw_tuple_cost '{cost}', "
        + ", ".join(f"SET {name} '{random.choice(OPTIONS[name])}'" for name in ("use_remote_estimate", "fetch_size", "batch_size")) + ")"
        for number in range(4)
    ]


def some(version):
    """SET statements for a few of them; everything else is reset."""
    said = ["RESET ALL", "SET statement_timeout = '20s'"]
    for name in SWITCHES:
        if random.random() < 0.12:
            said.append(f"SET {name} = off")
    for name, choices in OTHERS.items():
        if random.random() < 0.25:
            if name == "force_parallel_mode" and version >= 160000:
                name = "debug_parallel_query"
            said.append(f"SET {name} = '{random.choice(choices)}'")
    return said

//! PostgreSQL's nodes, lists and sets read from Rust: checked casts, iteration, building, walking.
//!
//! Nothing here trusts a node to be what the caller hopes for: [`cast`] looks at the tag, list iterators look at
//! the list's kind, and NULL is an empty list and an empty set everywhere. The references that come out live as
//! long as the tree they point into, which the borrow checker cannot know: callers keep them inside one
//! planner or executor callback.

#![allow(dead_code)]

use super::text;
use pgrx::pg_guard;
use pgrx::pg_sys::{self, NodeTag};
use std::ffi::c_void;

/// A node type with a tag of its own.
pub trait Tagged {
    /// The tag that says so.
    const TAG: NodeTag;
}

macro_rules! tagged {
    ($($node:ident = $tag:ident),* $(,)?) => {
        $(impl Tagged for pg_sys::$node { const TAG: NodeTag = NodeTag::$tag; })*
    };
}

tagged! {
    Var = T_Var,
    Const = T_Const,
    Param = T_Param,
    Aggref = T_Aggref,
    GroupingFunc = T_GroupingFunc,
    GroupingSet = T_GroupingSet,
    WindowFunc = T_WindowFunc,
    WindowClause = T_WindowClause,
    SubscriptingRef = T_SubscriptingRef,
    FuncExpr = T_FuncExpr,
    OpExpr = T_OpExpr,
    ScalarArrayOpExpr = T_ScalarArrayOpExpr,
    BoolExpr = T_BoolExpr,
    RelabelType = T_RelabelType,
    CoerceViaIO = T_CoerceViaIO,
    ArrayCoerceExpr = T_ArrayCoerceExpr,
    CaseExpr = T_CaseExpr,
    CaseWhen = T_CaseWhen,
    CaseTestExpr = T_CaseTestExpr,
    ArrayExpr = T_ArrayExpr,
    RowExpr = T_RowExpr,
    RowCompareExpr = T_RowCompareExpr,
    CoalesceExpr = T_CoalesceExpr,
    MinMaxExpr = T_MinMaxExpr,
    SQLValueFunction = T_SQLValueFunction,
    NullTest = T_NullTest,
    BooleanTest = T_BooleanTest,
    PlaceHolderVar = T_PlaceHolderVar,
    TargetEntry = T_TargetEntry,
    RestrictInfo = T_RestrictInfo,
    SortGroupClause = T_SortGroupClause,
    RangeTblEntry = T_RangeTblEntry,
    RangeTblRef = T_RangeTblRef,
    JoinExpr = T_JoinExpr,
    FromExpr = T_FromExpr,
    Query = T_Query,
    PathKey = T_PathKey,
    EquivalenceClass = T_EquivalenceClass,
    EquivalenceMember = T_EquivalenceMember,
    OnConflictExpr = T_OnConflictExpr,
    InferenceElem = T_InferenceElem,
    CustomPath = T_CustomPath,
    CustomScan = T_CustomScan,
    String = T_String,
    Integer = T_Integer,
}

/// The node's tag; `T_Invalid` for NULL.
///
/// # Safety
/// `node` is NULL or points to a node.
pub unsafe fn tag<T>(node: *const T) -> NodeTag {
    if node.is_null() {
        return NodeTag::T_Invalid;
    }
    // SAFETY: every node begins with its tag.
    unsafe { *node.cast::<NodeTag>() }
}

/// `IsA`, false for NULL.
///
/// # Safety
/// `node` is NULL or points to a node.
pub unsafe fn is_a<T>(node: *const T, wanted: NodeTag) -> bool {
    // SAFETY: as the caller vouches.
    unsafe { tag(node) == wanted }
}

/// The node as an `N`, if that is what it is.
///
/// # Safety
/// `node` is NULL or points to a node that outlives `'a`.
pub unsafe fn cast<'a, N: Tagged, T>(node: *const T) -> Option<&'a N> {
    // SAFETY: the tag tells the node's layout.
    unsafe { is_a(node, N::TAG).then(|| &*node.cast::<N>()) }
}

/// OpExpr, DistinctExpr and NullIfExpr share one layout; this is any of the three.
///
/// # Safety
/// As for [`cast`].
pub unsafe fn cast_operator<'a, T>(node: *const T) -> Option<&'a pg_sys::OpExpr> {
    // SAFETY: the three tags have the same struct.
    unsafe {
        matches!(tag(node), NodeTag::T_OpExpr | NodeTag::T_DistinctExpr | NodeTag::T_NullIfExpr)
            .then(|| &*node.cast::<pg_sys::OpExpr>())
    }
}

/// A clause without its RestrictInfo, if it has one.
///
/// # Safety
/// `node` is NULL or points to a node.
pub unsafe fn bare_clause<T>(node: *mut T) -> *mut pg_sys::Expr {
    // SAFETY: as the caller vouches.
    unsafe {
        match cast::<pg_sys::RestrictInfo, _>(node) {
            Some(info) => info.clause,
            None => node.cast(),
        }
    }
}

/// The cells of a list of the given kind; none for NULL and for a list of another kind.
unsafe fn cells<'a>(list: *const pg_sys::List, kind: NodeTag) -> &'a [pg_sys::ListCell] {
    // SAFETY: `elements` holds `length` cells; the caller vouches for the list.
    unsafe {
        if !is_a(list, kind) || (*list).length <= 0 {
            return &[];
        }
        std::slice::from_raw_parts((*list).elements, (*list).length as usize)
    }
}

/// The pointers of a list.
///
/// # Safety
/// `list` is NULL or a valid list that outlives the iterator and is not changed meanwhile.
pub unsafe fn list<'a, T: 'a>(
    list: *const pg_sys::List,
) -> impl ExactSizeIterator<Item = *mut T> + DoubleEndedIterator + Clone + use<'a, T> {
    // SAFETY: a T_List holds pointers.
    unsafe { cells(list, NodeTag::T_List).iter().map(|cell| cell.ptr_value.cast::<T>()) }
}

/// The pointers of a list, collected.
///
/// # Safety
/// As for [`list`].
pub unsafe fn list_vec<T>(of: *const pg_sys::List) -> Vec<*mut T> {
    // SAFETY: as the caller vouches.
    unsafe { list(of).collect() }
}

/// The numbers of an integer list.
///
/// # Safety
/// As for [`list`].
pub unsafe fn int_list<'a>(
    list: *const pg_sys::List,
) -> impl ExactSizeIterator<Item = i32> + Clone + use<'a> {
    // SAFETY: a T_IntList holds integers.
    unsafe { cells(list, NodeTag::T_IntList).iter().map(|cell| cell.int_value) }
}

/// The OIDs of an OID list.
///
/// # Safety
/// As for [`list`].
pub unsafe fn oid_list<'a>(
    list: *const pg_sys::List,
) -> impl ExactSizeIterator<Item = pg_sys::Oid> + Clone + use<'a> {
    // SAFETY: a T_OidList holds OIDs.
    unsafe { cells(list, NodeTag::T_OidList).iter().map(|cell| cell.oid_value) }
}

/// A list of the nodes, in the current memory context; NULL (NIL) for none.
pub fn make_list<T>(nodes: impl IntoIterator<Item = *mut T>) -> *mut pg_sys::List {
    nodes.into_iter().fold(std::ptr::null_mut(), |list, node| {
        // SAFETY: lappend takes NIL or a list it made itself.
        unsafe { pg_sys::lappend(list, node.cast()) }
    })
}

/// An integer list in the current memory context; NULL (NIL) for none.
pub fn make_int_list(numbers: impl IntoIterator<Item = i32>) -> *mut pg_sys::List {
    numbers.into_iter().fold(std::ptr::null_mut(), |list, number| {
        // SAFETY: lappend_int takes NIL or a list it made itself.
        unsafe { pg_sys::lappend_int(list, number) }
    })
}

/// A String node in the current memory context.
pub fn make_string(text: &str) -> *mut pg_sys::Node {
    // SAFETY: the node keeps the palloc'd copy.
    unsafe { pg_sys::makeString(text::to_server(text)).cast() }
}

/// An Integer node in the current memory context.
pub fn make_integer(number: i32) -> *mut pg_sys::Node {
    // SAFETY: plain allocation.
    unsafe { pg_sys::makeInteger(number).cast() }
}

/// What a String node holds.
///
/// # Safety
/// `node` is NULL or points to a node.
pub unsafe fn string_value<T>(node: *const T) -> Option<String> {
    // SAFETY: a String node holds a C string in the server's encoding.
    unsafe { cast::<pg_sys::String, _>(node).map(|string| text::from_server(string.sval)) }
}

/// What an Integer node holds.
///
/// # Safety
/// `node` is NULL or points to a node.
pub unsafe fn integer_value<T>(node: *const T) -> Option<i32> {
    // SAFETY: as the caller vouches.
    unsafe { cast::<pg_sys::Integer, _>(node).map(|integer| integer.ival) }
}

/// The members of a set, in order; none for NULL.
///
/// # Safety
/// `set` is NULL or a valid set that outlives the iterator and is not changed meanwhile.
pub unsafe fn members(set: *const pg_sys::Bitmapset) -> impl Iterator<Item = i32> {
    let mut last = -1;
    std::iter::from_fn(move || {
        // SAFETY: bms_next_member takes NULL; the caller vouches for the rest.
        last = unsafe { pg_sys::bms_next_member(set, last) };
        (last >= 0).then_some(last)
    })
}

/// Whether `member` is in the set; false for NULL.
///
/// # Safety
/// `set` is NULL or a valid set.
pub unsafe fn has_member(set: *const pg_sys::Bitmapset, member: i32) -> bool {
    // SAFETY: bms_is_member takes NULL but raises on a negative member.
    unsafe { member >= 0 && pg_sys::bms_is_member(member, set) }
}

/// Whether a set of attribute numbers, as `pull_varattnos` makes it (moved up so that system columns fit in), has
/// this one.
///
/// # Safety
/// `attrs` is NULL or a valid set.
pub unsafe fn has_attribute(attrs: *const pg_sys::Bitmapset, attnum: i32) -> bool {
    // SAFETY: as the caller vouches.
    unsafe { has_member(attrs, attnum - pg_sys::FirstLowInvalidHeapAttributeNumber) }
}

/// The set with this attribute number added, in the sense of [`has_attribute`].
///
/// # Safety
/// `attrs` is NULL or a valid set; it may be freed, the result takes its place.
pub unsafe fn add_attribute(attrs: *mut pg_sys::Bitmapset, attnum: i32) -> *mut pg_sys::Bitmapset {
    // SAFETY: as the caller vouches.
    unsafe { pg_sys::bms_add_member(attrs, attnum - pg_sys::FirstLowInvalidHeapAttributeNumber) }
}

/// `IS_SIMPLE_REL`: a base relation or a member of an inheritance tree.
pub fn is_simple_rel(rel: &pg_sys::RelOptInfo) -> bool {
    use pg_sys::RelOptKind::{RELOPT_BASEREL, RELOPT_OTHER_MEMBER_REL};
    matches!(rel.reloptkind, RELOPT_BASEREL | RELOPT_OTHER_MEMBER_REL)
}

/// `IS_JOIN_REL`.
pub fn is_join_rel(rel: &pg_sys::RelOptInfo) -> bool {
    use pg_sys::RelOptKind::{RELOPT_JOINREL, RELOPT_OTHER_JOINREL};
    matches!(rel.reloptkind, RELOPT_JOINREL | RELOPT_OTHER_JOINREL)
}

/// `IS_UPPER_REL`.
pub fn is_upper_rel(rel: &pg_sys::RelOptInfo) -> bool {
    use pg_sys::RelOptKind::{RELOPT_OTHER_UPPER_REL, RELOPT_UPPER_REL};
    matches!(rel.reloptkind, RELOPT_UPPER_REL | RELOPT_OTHER_UPPER_REL)
}

/// `RINFO_IS_PUSHED_DOWN`: the clause is a filter above the join of `joinrelids`, not one of its ON conditions.
///
/// # Safety
/// Both are valid planner data.
pub unsafe fn is_pushed_down(info: &pg_sys::RestrictInfo, joinrelids: pg_sys::Relids) -> bool {
    // SAFETY: as the caller vouches.
    unsafe { info.is_pushed_down || !pg_sys::bms_is_subset(info.required_relids, joinrelids) }
}

/// Whether expressions need a parameter that the executor sets while it runs.
///
/// # Safety
/// `exprs` is NIL or a list of valid expressions.
pub unsafe fn has_exec_param(exprs: *mut pg_sys::List) -> bool {
    // SAFETY: as the caller vouches.
    unsafe {
        any_node(exprs.cast(), &mut |part| {
            cast::<pg_sys::Param, _>(part)
                .is_some_and(|param| param.paramkind == pg_sys::ParamKind::PARAM_EXEC)
        })
    }
}

/// Calls `visit` on `node` and, as long as it returns false, on everything below. True as soon as one call is;
/// `visit` is not called for NULL. Does not go into sub-queries.
///
/// # Safety
/// `node` is NULL or a valid expression tree (also a List of such).
pub unsafe fn any_node(
    node: *mut pg_sys::Node,
    visit: &mut dyn FnMut(*mut pg_sys::Node) -> bool,
) -> bool {
    struct Visitor<'a>(&'a mut dyn FnMut(*mut pg_sys::Node) -> bool);

    #[pg_guard]
    unsafe extern "C-unwind" fn step(node: *mut pg_sys::Node, visitor: *mut c_void) -> bool {
        if node.is_null() {
            return false;
        }
        // SAFETY: `visitor` is the Visitor below, which outlives the walk and is used by one frame at a time.
        unsafe {
            ((*visitor.cast::<Visitor<'_>>()).0)(node)
                || pg_sys::expression_tree_walker(node, Some(step), visitor)
        }
    }

    let mut visitor = Visitor(visit);
    // SAFETY: as the caller vouches.
    unsafe { step(node, (&raw mut visitor).cast()) }
}

/// A zeroed node of its type, in the current memory context.
///
/// # Safety
/// `N` is a plain PostgreSQL node struct, for which all zeroes is a valid value.
pub unsafe fn make<N: Tagged>() -> *mut N {
    // SAFETY: a node begins with its tag.
    unsafe {
        let node = pg_sys::palloc0(size_of::<N>()).cast::<N>();
        *node.cast::<NodeTag>() = N::TAG;
        node
    }
}

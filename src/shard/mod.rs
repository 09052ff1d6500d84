//! Where a row lives: the rules of placements and what a query's conditions say about them.

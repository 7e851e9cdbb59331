-- What you allow of your tables. Where this table is, what its rows do not allow is refused: docs/policies.md.
CREATE TABLE IF NOT EXISTS duckpriv_policies (
    table_name VARCHAR NOT NULL,   -- your table or view, as scripts take it
    column_name VARCHAR NOT NULL,  -- its column, or * for each
    peer VARCHAR NOT NULL,         -- the party that learns something, or * for any
    use VARCHAR NOT NULL CHECK (use IN ('match', 'group', 'measure', 'train', 'score')),
    minimum BIGINT CHECK (minimum >= 0),  -- the smallest number of rows that a released number may be about
    budget BIGINT CHECK (budget >= 0),    -- how many releases this row covers, over all sessions
    epsilon DOUBLE CHECK (epsilon > 0)    -- the noise of all of them together
);

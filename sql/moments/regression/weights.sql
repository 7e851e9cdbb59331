-- our shares of the weights; the peer gets those that it may see
CREATE OR REPLACE TABLE "${result}_share" AS
    SELECT party, place AS position, weights[place] AS share, getvariable('training') AS training
    FROM regression_features, (SELECT square_solution(state, getvariable('leads')) AS weights FROM regression_state) ORDER BY place;
CREATE OR REPLACE TABLE "${log}" AS FROM regression_log ORDER BY iteration;

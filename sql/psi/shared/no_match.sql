-- what our ids, as they were compared, have that may keep them from matching: numbers, and no id. Found out whether
-- any matches or not, since the host sees when we end; of 10,000 ids at most, which are in random order.
CREATE OR REPLACE TEMP TABLE psi_notes AS
    WITH columns_of AS (
        SELECT *, row_number() OVER (ORDER BY key, nth) AS i, count(*) OVER () AS width
        FROM (SELECT key, unnest(names) AS name, generate_subscripts(names, 1) AS nth, kinds
              FROM (SELECT key, getvariable('id_keys')[key] AS names, duckpriv_kinds(all_kinds[least(key, len(all_kinds))]) AS kinds
                    FROM range(1, getvariable('keys') + 1) t(key), (SELECT string_split(getvariable('kind'), ';') AS all_kinds)))
    ), of_keys AS (
        SELECT CASE WHEN getvariable('keys') = 1 THEN ['1', psi_id] ELSE from_json(psi_id, '["VARCHAR"]') END AS id
        FROM psi_sequence WHERE seq <= 10000
    ), parts AS (
        SELECT unnest(texts) AS text, generate_subscripts(texts, 1) AS nth, key
        FROM (SELECT id[1]::BIGINT AS key, CASE WHEN len(getvariable('id_keys')[id[1]::BIGINT]) = 1 THEN [id[2]]
                                                ELSE from_json(id[2], '["VARCHAR"]') END AS texts
              FROM of_keys)
    ), shapes AS (
        SELECT *, regexp_matches(
            text, '^\s*(\d\d?\.\d\d?\.\d\d|\d\d?/\d\d?/\d\d|\d\d?-\d\d?-\d\d|\d{4}-\d\d-\d\d[T ]|\d{4}[./]\d\d?[./]\d)')
            AS dated
        FROM parts JOIN columns_of USING (key, nth)
    ), counts AS (
        SELECT i, any_value(name) AS name, any_value(width) AS width, any_value(kinds[least(nth, len(kinds))]) AS kind, count(*) AS ids,
            count(*) FILTER (regexp_matches(
                text, '[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\x{A0}\x{1680}\x{2000}-\x{200A}\x{202F}\x{205F}\x{3000}]')) AS unseen,
            count(*) FILTER (regexp_matches(text, '^[\s\p{Zs}]|[\s\p{Zs}]$')) AS spaces,
            count(*) FILTER (regexp_matches(text, '^\s*[^\s@]+@[^\s@]+\.[^\s@]+\s*$')) AS emails,
            count(*) FILTER (regexp_matches(text, '\p{L}') AND NOT contains(text, '@')) AS letters,
            count(*) FILTER (regexp_matches(text, '^\s*[+(]?\d[\d ()./-]{5,}\s*$')
                             AND regexp_matches(text, '\d[ ()/-]|[+(]')
                             AND NOT dated AND NOT regexp_matches(text, '^\s*\d{4}-\d\d-\d\d\s*$')) AS phones,
            count(*) FILTER (regexp_matches(text, '^\s*\d+\s*$')) AS digits,
            count(*) FILTER (regexp_matches(text, '^\s*0\d+\s*$')) AS zeros,
            count(*) FILTER (regexp_matches(text, '^\s*\d+\.0+\s*$|^\s*\d(\.\d+)?[eE]\+?\d+\s*$')) AS fractions,
            count(*) FILTER (dated) AS dates,
            count(*) FILTER (regexp_matches(text, '[^\P{Nd}0-9]|[\x{FF01}-\x{FF5E}]')) AS wide,
            count(*) FILTER (regexp_matches(text, '[\x{2010}-\x{201F}\x{2212}]')) AS typographic,
            count(*) FILTER (regexp_matches(text, '^\s*(".*"|''.*'')\s*$')) AS quotes
        FROM shapes GROUP BY i
    ), notes AS (
        SELECT counts.*, unnest([
            {n: unseen, text: 'hold characters that nobody sees, such as no-break or zero-width spaces or a byte order '
                              || 'mark; remove them, with regexp_replace'},
            {n: CASE WHEN kind = 'raw' THEN spaces END,
             text: 'begin or end with a space; kind=trimmed takes no notice'},
            {n: CASE WHEN kind IN ('raw', 'trimmed') THEN emails END,
             text: 'look like e-mail addresses; kind=email takes no notice of capital letters and spaces around'},
            {n: CASE WHEN kind = 'email' THEN ids - emails END,
             text: 'do not look like e-mail addresses, and kind is email'},
            {n: CASE WHEN kind IN ('raw', 'trimmed') THEN letters END,
             text: 'have letters, and kind=' || kind || ' tells capital ones from small ones; kind=lower does not'},
            {n: CASE WHEN kind <> 'phone' THEN phones END,
             text: 'look like telephone numbers; kind=phone compares their digits alone'},
            {n: CASE WHEN kind = 'phone' THEN zeros END,
             text: 'begin with 0, so they have no country in front; if the host''s have it, write +49 or the like'},
            {n: CASE WHEN kind <> 'phone' THEN zeros END,
             text: 'are digits that begin with 0; where the host keeps them as numbers, these zeros are lost'},
            {n: CASE WHEN kind <> 'phone' AND zeros = 0 THEN digits END,
             text: 'are digits that do not begin with 0; where the host keeps them as text, zeros may stand in front'},
            {n: fractions, text: 'are written as fractions are, such as 12.0 or 1e6; make whole numbers of them, with '
                                 || 'CAST(… AS BIGINT)'},
            {n: dates, text: 'look like dates or times, and not like 2024-12-31, as columns of type DATE do'},
            {n: wide,
             text: 'hold wide or other digits or letters than the usual ones, such as a full-width 4; replace them'},
            {n: typographic, text: 'hold typographic dashes or quotation marks; the host may have - and '''},
            {n: quotes, text: 'stand in quotation marks, which may be left of a CSV file'}]) AS note
        FROM counts
    )
    SELECT 'none of the ' || (SELECT count(*) FROM psi_sequence) || ' ids is one of the host''s. Ask the host how '
           || 'it writes them, for a made-up one: the same column'
           || CASE WHEN any_value(width) > 1 THEN 's in the same order' ELSE '' END
           || ', and the same kind (' || getvariable('kind') || ' here)? Then both run again, with a new session.'
           AS note,
           0 AS place, 0 AS ids
    FROM counts HAVING count(*) > 0
    UNION ALL
    SELECT note.n || ' of ' || ids || ' ids' || CASE WHEN width > 1 THEN ' (' || name || ')' ELSE '' END
           || ' ' || note.text, i, note.n
    FROM notes WHERE note.n > 0;

-- nothing matched; what our own ids look like
SELECT note FROM psi_notes WHERE NOT EXISTS (FROM "${result}") ORDER BY place, ids DESC, note;

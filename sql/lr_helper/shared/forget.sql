-- part forget-list

-- nobody needs the seeds any more
SET VARIABLE secrets = (
    SELECT list(name) FROM (SELECT seed AS name FROM lr_seeds UNION ALL SELECT unnest([getvariable('part')::VARCHAR, getvariable('batch_seed')::VARCHAR]))
    WHERE name IS NOT NULL);
SET VARIABLE k = 0;

-- part forget while getvariable('k') < len(getvariable('secrets'))
SET VARIABLE k = getvariable('k') + 1;
CALL key_forget(getvariable('secrets')[getvariable('k')]);

-- part end

-- a file that is left of another run would be read as one of ours
SELECT require((SELECT count(*) FROM glob(getvariable('folder') || '/' || getvariable('written') || '/*')) = getvariable('k'),
               'the folder ' || getvariable('written') || ' has files of another run; empty it, or name another folder');

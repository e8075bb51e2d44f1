-- Versions of the computations. See adapters/algorithms.py.

-- name: newest_algorithm
SELECT version FROM imbalance.algorithms WHERE results = %(results)s

-- name: put_algorithm
INSERT INTO imbalance.algorithms AS t (results, version) VALUES (%(results)s, %(version)s)
ON CONFLICT (results) DO UPDATE SET version = greatest(t.version, excluded.version)
RETURNING version

-- name: markers_waiting
-- Millions may wait: more than 100,000 are not counted. Parts of the lanes are found by their indexes.
SELECT kind, lane, count(*), extract(epoch FROM clock_timestamp() - min(marked_at))::double precision
FROM (
    (SELECT 'group_day' AS kind, lane, marked_at FROM imbalance.markers WHERE lane < 2 LIMIT 100000)
    UNION ALL
    (SELECT 'group_day', lane, marked_at FROM imbalance.markers WHERE lane = 2 ORDER BY id LIMIT 100000)
    UNION ALL
    (SELECT 'forecast' AS kind, lane, marked_at FROM imbalance.forecast_markers WHERE lane < 2 LIMIT 100000)
    UNION ALL
    (SELECT 'forecast', lane, marked_at FROM imbalance.forecast_markers WHERE lane = 2 ORDER BY id LIMIT 100000)
    UNION ALL
    (SELECT 'group_forecast' AS kind, lane, marked_at FROM imbalance.group_forecast_markers WHERE lane < 2 LIMIT 100000)
    UNION ALL
    (SELECT 'group_forecast', lane, marked_at FROM imbalance.group_forecast_markers WHERE lane = 2 ORDER BY id LIMIT 100000)
    UNION ALL
    (SELECT 'inadequacy' AS kind, lane, marked_at FROM imbalance.inadequacy_markers WHERE lane < 2 LIMIT 100000)
    UNION ALL
    (SELECT 'inadequacy', lane, marked_at FROM imbalance.inadequacy_markers WHERE lane = 2 ORDER BY id LIMIT 100000)
) AS waiting
GROUP BY kind, lane

-- name: nightly_done
SELECT kind, extract(epoch FROM done_to)::double precision FROM imbalance.nightly WHERE isfinite(done_to)

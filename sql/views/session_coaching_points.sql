-- One row per coaching session and coaching point that was talked about in it.
--   coaching_session_id  the session: coaching_sessions.id
--   coaching_point_id    the coaching point: coaching_points.id
with pairs as (
    select distinct unnest(coaching_session_ids) as coaching_session_id, id as coaching_point_id
    from coaching_points
)
select * from pairs

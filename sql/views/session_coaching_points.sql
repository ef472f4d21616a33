-- One row per coaching session and coaching point that was talked about in it.
with pairs as (
    select distinct unnest(coaching_session_ids) as coaching_session_id, id as coaching_point_id
    from coaching_points
)
select * from pairs

-- One row per coaching session, with the person coached and its day: the view filtered_sessions.
-- Filters: the variables of the view filtered_sessions.
select * from filtered_sessions order by person_id, held_at, coaching_session_id

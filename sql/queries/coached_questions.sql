-- One row per coaching session, question that a coaching point of it is about, and person coached, with the session's day.
-- A point names its question by criteria_id; points without one are in no row.
-- Filters: the variables of the view filtered_sessions.
select distinct
    sessions.coaching_session_id,
    points.criteria_id as question_id,
    sessions.person_id,
    sessions.day
from filtered_sessions as sessions
join session_coaching_points as links on links.coaching_session_id = sessions.coaching_session_id
join coaching_points as points on points.id = links.coaching_point_id
where points.criteria_id is not null
order by all

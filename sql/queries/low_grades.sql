-- One row per low grade: when it was graded and when the first coaching point about it was made, if one was.
-- days is the time to the first coaching point, or so far (to the newest record in the database) where there is none.
-- Filters: the variables of the view filtered_grades.
-- threshold   double       optional, default: 80; a grade at or above it is not low, in percent
-- Sessions count with their creation: the date of a meeting may lie ahead.
with newest as (
    select max(moment) as observed_until
    from (
        select max(date_graded) as moment from total_scores
        union all
        select max(created_at) from coaching_points
        union all
        select max(updated_at) from coaching_points
        union all
        select max(created_at) from coaching_sessions
    ) as moments
),
low as (
    select grade_key, person_id, rubric_id, rubric_name, grader, score_percent, date_graded
    from filtered_grades
    where score_percent < coalesce(getvariable('threshold'), 80) and date_graded is not null
),
first_points as (
    select links.grade_key, min(points.created_at) as first_coached_at, min(points.creator_id) as coach_id
    from grade_coaching_points as links
    join coaching_points as points on points.id = links.coaching_point_id
    where links.grade_key in (select grade_key from low)
    group by links.grade_key
),
followed as (
    select
        low.*,
        first_points.first_coached_at,
        first_points.coach_id,
        (epoch(newest.observed_until) - epoch(low.date_graded)) / 86400 as days_observed,
        newest.observed_until,
        first_points.first_coached_at is not null as coached,
        greatest(
            0,
            (epoch(coalesce(first_points.first_coached_at, newest.observed_until)) - epoch(low.date_graded)) / 86400
        ) as days
    from low
    cross join newest
    left join first_points on first_points.grade_key = low.grade_key
),
named as (
    select agents.agent_name, followed.*
    from followed
    left join agents on agents.person_id = followed.person_id
)
select * from named

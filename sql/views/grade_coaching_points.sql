-- One row per grade and coaching point about it, whichever of the person's ids the point's answer id used.
-- The answer id of a calibration names no grader, so it links to the calibrations of all graders.
--   coaching_point_id  the coaching point: coaching_points.id
with referring as (
    select
        id as coaching_point_id,
        rubric_id,
        regexp_extract(answer_id, '^[^_]*_(.+)_([A-Z]+)_([^_].*)$', 1) as gradable_rubric_agent,
        regexp_extract(answer_id, '^[^_]*_(.+)_([A-Z]+)_([^_].*)$', 3) as grade_type
    from coaching_points
    where answer_id is not null
),
linked as (
    select distinct names.grade_key, referring.coaching_point_id
    from referring
    join grade_answer_names as names
        on names.gradable_rubric_agent = referring.gradable_rubric_agent and names.grade_type = referring.grade_type
    where referring.rubric_id is null or referring.rubric_id = names.rubric_id
)
select * from linked

-- One row per ticket, rubric, person and grader, of tickets that two graders or more have graded.
-- Where a grader scored one twice, the earliest stands: it was made before anyone talked about it.
-- The final of a calibration is its reference and not one more grader's judgement: it is left out.
--   unit     the number of what is compared: the ticket, rubric and person
--   ticket   the number of the ticket
-- The variables are those of the view filtered_grades_of_any_type.
with chosen as not materialized (
    select * from filtered_grades_of_any_type
),
-- Few tickets are seen by two graders. Of a ticket, rubric and agent id there is one ordinary grade, as its grader is no
-- part of its key: of two graders' grades one is of another type, or the person has several ids.
seen_twice as (
    select gradable_id
    from chosen
    where grade_type <> 'grading'
        or person_id in (select person_id from agent_ids group by person_id having count(*) > 1)
    group by gradable_id
    having count(*) > 1 or max(case when grade_type <> 'grading' then 1 else 0 end) = 1
),
seen as (
    select *
    from chosen
    where grader is not null and grade_type <> 'calibration_final' and gradable_id in (select gradable_id from seen_twice)
),
graded_twice as (
    select source, gradable_id, rubric_id, person_id
    from seen
    group by source, gradable_id, rubric_id, person_id
    having min(grader) <> max(grader)
),
numbered as (
    select
        seen.*,
        row_number() over (
            partition by seen.source, seen.gradable_id, seen.rubric_id, seen.person_id, seen.grader
            order by seen.date_graded, seen.grade_key
        ) as version
    from seen
    join graded_twice as units
        on units.source is not distinct from seen.source
        and units.gradable_id = seen.gradable_id
        and units.rubric_id = seen.rubric_id
        and units.person_id = seen.person_id
),
paired as (
    select
        dense_rank() over (order by source, gradable_id, rubric_id, person_id) as unit,
        dense_rank() over (order by source, gradable_id) as ticket,
        source,
        gradable_id,
        rubric_id,
        rubric_name,
        person_id,
        grader,
        grade_type,
        grade_key,
        score_percent
    from numbered
    where version = 1
)
select * from paired

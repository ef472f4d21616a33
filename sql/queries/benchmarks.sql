-- One row per grade that is held against another (a calibration or a grader-QA benchmark and its target), with the
-- vendor's alignment worked out again from the answers, in percent. Questions that only one of the two scored are
-- left out of it and counted in na_mismatches.
-- since       timestamptz  optional, default: everything; grades reported at or after it (date_reported_as)
-- until       timestamptz  optional, default: everything; grades reported before it
-- team        varchar      optional, a group's name or id
-- agent       varchar      optional, a person's name, e-mail address or any of their ids
-- rubric      varchar      optional, a rubric's name or id
-- source      varchar      optional, a helpdesk
-- grade_type  varchar      optional, default: any; 'any' for all
with wanted_people as (
    select person_id from agent_ids where agent_id = coalesce(getvariable('agent'), '')
    union
    select person_id from agents where coalesce(getvariable('agent'), '') in (person_id, agent_name, agent_email)
),
wanted_team as (
    select person_id from team_members where coalesce(getvariable('team'), '') in (group_id, group_name)
),
chosen as (
    select *
    from scored_grades
    where coalesce(date_reported_as, timestamptz '1970-01-01T00:00:00Z')
            >= coalesce(getvariable('since'), timestamptz '1970-01-01T00:00:00Z')
        and coalesce(date_reported_as, timestamptz '1970-01-01T00:00:00Z')
            < coalesce(getvariable('until'), timestamptz '2970-01-01T00:00:00Z')
        and coalesce(getvariable('grade_type'), 'any') in ('any', grade_type)
        and coalesce(getvariable('rubric'), '') in ('', rubric_id, rubric_name)
        and coalesce(getvariable('source'), '') in ('', source)
        and (coalesce(getvariable('agent'), '') = '' or person_id in (select person_id from wanted_people))
        and (coalesce(getvariable('team'), '') = '' or person_id in (select person_id from wanted_team))
),
referring as (
    select
        *,
        regexp_extract(target_answer_id, '^[^_]*_(.+)_([A-Z]+)_([^_].*)$', 1) as gradable_rubric_agent,
        regexp_extract(target_answer_id, '^[^_]*_(.+)_([A-Z]+)_([^_].*)$', 3) as target_grade_type
    from chosen
    where target_answer_id is not null
),
held_against as (
    select distinct
        referring.grade_key,
        referring.grade_type,
        referring.gradable_id,
        referring.source,
        referring.rubric_id,
        referring.rubric_name,
        referring.person_id,
        referring.grader,
        referring.date_reported_as,
        referring.score_percent,
        referring.alignment_score,
        target.grade_key as target_grade_key,
        target.grade_type as target_grade_type,
        target.grader as target_grader,
        target.score_percent as target_score_percent
    from referring
    join grade_answer_names as names
        on names.gradable_rubric_agent = referring.gradable_rubric_agent
        and names.grade_type = referring.target_grade_type
    join scored_grades as target on target.grade_key = names.grade_key
    where target.grade_key <> referring.grade_key
        and (
            referring.target_grade_type = 'grading'
            or referring.original_grader is null
            or target.grader = referring.original_grader
        )
),
involved as (
    select grade_key from held_against
    union
    select target_grade_key from held_against
),
answered as (
    select
        answers.grade_key,
        answers.question_id,
        max(answers.question_score) as question_score,
        max(answers.max_question_score) as max_question_score
    from individual_answers as answers
    where answers.grade_key in (select grade_key from involved)
    group by answers.grade_key, answers.question_id
),
compared as (
    select
        held_against.grade_key,
        held_against.target_grade_key,
        sum(
            case when mine.question_score is not null and theirs.question_score is not null
                then abs(mine.question_score - theirs.question_score) end
        ) as points_apart,
        sum(
            case when mine.question_score is not null and theirs.question_score is not null
                then theirs.max_question_score end
        ) as points_shared,
        count(
            case when (mine.question_score is null) <> (theirs.question_score is null) then 1 end
        ) as na_mismatches
    from held_against
    join answered as mine on mine.grade_key = held_against.grade_key
    join answered as theirs
        on theirs.grade_key = held_against.target_grade_key and theirs.question_id = mine.question_id
    group by held_against.grade_key, held_against.target_grade_key
),
aligned as (
    select
        held_against.*,
        100 * (1 - compared.points_apart / nullif(compared.points_shared, 0)) as alignment,
        coalesce(compared.na_mismatches, 0) as na_mismatches
    from held_against
    left join compared
        on compared.grade_key = held_against.grade_key
        and compared.target_grade_key = held_against.target_grade_key
    order by held_against.grade_key, held_against.target_grade_key
)
select * from aligned

-- One row per grade that is held against another (a calibration or a grader-QA benchmark and its target), with the
-- vendor's alignment worked out again from the answers, in percent. Questions that only one of the two scored are
-- left out of it and counted in na_mismatches.
-- Filters: the variables of the view filtered_grades_of_any_type.
with referring as (
    select
        *,
        regexp_extract(target_answer_id, '^[^_]*_(.+)_([A-Z]+)_([^_].*)$', 1) as gradable_rubric_agent,
        regexp_extract(target_answer_id, '^[^_]*_(.+)_([A-Z]+)_([^_].*)$', 3) as target_grade_type
    from filtered_grades_of_any_type
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
-- Grades are numbered, as their keys are long texts to join by.
numbered as (
    select grade_key, row_number() over (order by grade_key) as number
    from (select grade_key from held_against union select target_grade_key from held_against) as involved
),
answered as (
    select
        numbered.number,
        answers.question_id,
        max(answers.question_score) as question_score,
        max(answers.max_question_score) as max_question_score
    from individual_answers as answers
    join numbered on numbered.grade_key = answers.grade_key
    group by numbered.number, answers.question_id
),
pairs as (
    select distinct mine.grade_key, theirs.grade_key as target_grade_key, mine.number, theirs.number as target_number
    from held_against
    join numbered as mine on mine.grade_key = held_against.grade_key
    join numbered as theirs on theirs.grade_key = held_against.target_grade_key
),
compared as (
    select
        pairs.number,
        pairs.target_number,
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
    from pairs
    join answered as mine on mine.number = pairs.number
    join answered as theirs on theirs.number = pairs.target_number and theirs.question_id = mine.question_id
    group by pairs.number, pairs.target_number
),
aligned as (
    select
        held_against.*,
        100 * (1 - compared.points_apart / nullif(compared.points_shared, 0)) as alignment,
        coalesce(compared.na_mismatches, 0) as na_mismatches
    from held_against
    left join pairs
        on pairs.grade_key = held_against.grade_key
        and pairs.target_grade_key = held_against.target_grade_key
    left join compared on compared.number = pairs.number and compared.target_number = pairs.target_number
    order by held_against.grade_key, held_against.target_grade_key
)
select * from aligned

-- One row per ticket, rubric, person, question and grader, of tickets that two graders or more have graded.
-- A multi-select question has several answers: their labels are joined, in order of text.
-- An N/A answer has no score.
-- The final of a calibration is its reference and not one more grader's judgement: it is left out.
-- unit numbers what is compared (the ticket, rubric and person), ticket the ticket.
-- Filters: the variables of the view filtered_grades_of_any_type.
with chosen as not materialized (
    select * from filtered_grades_of_any_type
),
-- Few tickets are seen by two graders: one look at the ticket's id alone leaves little to group by all four texts.
seen_twice as (
    select gradable_id
    from chosen
    group by gradable_id
    having count(*) > 1
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
earliest as (
    select
        dense_rank() over (order by source, gradable_id, rubric_id, person_id) as unit,
        dense_rank() over (order by source, gradable_id) as ticket,
        row_number() over (order by grade_key) as number,
        grade_key,
        gradable_id,
        rubric_id,
        rubric_name,
        grader
    from numbered
    where version = 1
),
answers as (
    select
        earliest.number,
        answers.question_id,
        answers.question,
        answers.answer_label,
        answers.question_score
    from individual_answers as answers
    join earliest on earliest.grade_key = answers.grade_key
),
answered as (
    select
        number,
        question_id,
        max(question) as question,
        max(answer_label) as answer_label,
        max(question_score) as question_score,
        count(*) as answer_rows
    from answers
    group by number, question_id
),
-- Putting labels in order is dear, and hardly any question has several.
labelled as (
    select
        answers.number,
        answers.question_id,
        string_agg(answers.answer_label, ' + ' order by answers.answer_label) as answer_label
    from answers
    join answered on answered.number = answers.number and answered.question_id = answers.question_id
    where answered.answer_rows > 1
    group by answers.number, answers.question_id
),
paired as (
    select
        earliest.unit,
        earliest.ticket,
        earliest.gradable_id,
        earliest.rubric_id,
        earliest.rubric_name,
        earliest.grader,
        answered.question_id,
        answered.question,
        coalesce(labelled.answer_label, answered.answer_label) as answer_label,
        answered.question_score
    from earliest
    join answered on answered.number = earliest.number
    left join labelled
        on labelled.number = answered.number and labelled.question_id = answered.question_id
)
select * from paired

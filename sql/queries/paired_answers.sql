-- One row per ticket, rubric, person, question and grader, of tickets that two graders or more have graded.
-- These are the answers of the grades in the view paired_grades.
-- unit numbers what is compared (the ticket, rubric and person), ticket the ticket.
-- A multi-select question has several answers: their labels are joined, in order of text.
-- An N/A answer has no score.
-- Filters: the variables of the view filtered_grades_of_any_type.
with earliest as (
    select *, row_number() over (order by grade_key) as number from paired_grades
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

-- One row per ticket, rubric, person, question and grader, of tickets that two graders or more have graded.
-- These are the answers of the grades in the view paired_grades.
-- unit numbers what is compared (the ticket, rubric and person), ticket the ticket.
-- A multi-select question has several answers: their labels are joined, in order of text.
-- An N/A answer has no score.
-- Filters: the variables of the view filtered_grades_of_any_type.
-- Grades are numbered, as their keys are long texts to group by.
with earliest as (
    select *, row_number() over (order by grade_key) as number from paired_grades
),
answers as (
    select
        earliest.number,
        earliest.rubric_id,
        answers.question_id,
        answers.question,
        answers.answer_label,
        answers.question_score
    from individual_answers as answers
    join earliest on earliest.grade_key = answers.grade_key
),
answered as (
    select answers.number, answers.question_id, answers.question, answers.answer_label, answers.question_score
    from answers
    left join multi_select_questions as several
        on several.rubric_id = answers.rubric_id and several.question_id = answers.question_id
    where several.question_id is null
    union all
    select
        answers.number,
        answers.question_id,
        max(answers.question) as question,
        string_agg(answers.answer_label, ' + ' order by answers.answer_label) as answer_label,
        max(answers.question_score) as question_score
    from answers
    join multi_select_questions as several
        on several.rubric_id = answers.rubric_id and several.question_id = answers.question_id
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
        answered.answer_label,
        answered.question_score
    from earliest
    join answered on answered.number = earliest.number
)
select * from paired

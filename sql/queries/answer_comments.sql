-- One row per person, question and comment that a grader wrote on an answer that lost points, the newest of each.
-- The rows of a multi-select question are one answer; an answer without a comment is in no row.
-- Filters: the variables of the view filtered_grades, applied by filtered_answers.
-- rows        double       optional, default: 3; comments of each person and question
with commented as (
    select
        grade_key,
        agent_id,
        rubric_id,
        question_id,
        max(rubric_name) as rubric_name,
        max(question) as question,
        max(source) as source,
        max(gradable_id) as gradable_id,
        max(grader) as grader,
        max(date_reported_as) as date_reported_as,
        max(answer_label) as answer_label,
        max(trim(comment)) as comment
    from filtered_answers
    where question_score < max_question_score and length(trim(comment)) > 0
    group by grade_key, agent_id, rubric_id, question_id
),
placed as (
    select
        people.person_id,
        commented.*,
        row_number() over (
            partition by people.person_id, commented.rubric_id, commented.question_id
            order by commented.date_reported_as desc nulls last, commented.grade_key
        ) as place
    from commented
    join agent_ids as people on people.agent_id = commented.agent_id
),
named as (
    select
        placed.person_id, agents.agent_name, placed.rubric_id, placed.rubric_name, placed.question_id, placed.question,
        placed.place, placed.grade_key, placed.source, placed.gradable_id, placed.grader, placed.date_reported_as,
        placed.answer_label, placed.comment
    from placed
    left join agents on agents.person_id = placed.person_id
    where placed.place <= coalesce(getvariable('rows'), 3)
    order by placed.person_id, placed.rubric_id, placed.question_id, placed.place
)
select * from named

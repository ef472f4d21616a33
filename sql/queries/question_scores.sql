-- One row per rubric, section, question and person: counts and sums of the question's score in percent of its maximum.
-- A multi-select question has several rows for a grade: they are one answer here. N/A answers count in n_na only.
-- Questions of a section without points of its own (bonus, auto-fail) lose none.
-- Filters: the variables of the view filtered_grades, applied by filtered_answers.
with chosen as not materialized (
    select * from filtered_answers
),
-- Answers are tallied as they are, and only those of multi-select questions are brought together for each grade: a group
-- for every grade and question takes three times as long. (`chosen` is not kept between its uses: writing 20 million
-- rows down takes longer than reading them again.)
tallied as (
    select agent_id, rubric_id, section_id, question_id, question_score, max_question_score, count(*) as answers
    from chosen
    group by agent_id, rubric_id, section_id, question_id, question_score, max_question_score
),
answered as (
    select tallied.*
    from tallied
    left join multi_select_questions as several
        on several.rubric_id = tallied.rubric_id and several.question_id = tallied.question_id
    where several.question_id is null
    union all
    select
        chosen.agent_id,
        chosen.rubric_id,
        chosen.section_id,
        chosen.question_id,
        max(chosen.question_score) as question_score,
        max(chosen.max_question_score) as max_question_score,
        1 as answers
    from chosen
    join multi_select_questions as several
        on several.rubric_id = chosen.rubric_id and several.question_id = chosen.question_id
    group by chosen.grade_key, chosen.agent_id, chosen.rubric_id, chosen.section_id, chosen.question_id
),
-- The wording of one person's answers, as reading the texts of 20 million takes longer than finding those.
heard as (
    select rubric_id, question_id, min(agent_id) as agent_id from tallied group by rubric_id, question_id
),
wording as (
    select
        answers.rubric_id,
        answers.question_id,
        max(answers.rubric_name) as rubric_name,
        max(answers.section_name) as section_name,
        max(answers.question) as question
    from chosen as answers
    join heard
        on heard.agent_id = answers.agent_id
        and heard.rubric_id = answers.rubric_id
        and heard.question_id = answers.question_id
    group by answers.rubric_id, answers.question_id
),
bonus as (
    select section_id
    from section_scores
    group by section_id
    having max(max_section_score) = 0
),
scored as (
    select
        answered.*,
        people.person_id,
        bonus.section_id is not null as is_bonus,
        case when max_question_score > 0 then 100 * question_score / max_question_score end as score_percent
    from answered
    join agent_ids as people on people.agent_id = answered.agent_id
    left join bonus on bonus.section_id = answered.section_id
),
per_person as (
    select
        rubric_id,
        section_id,
        question_id,
        person_id,
        max(is_bonus) as is_bonus,
        cast(sum(case when score_percent is not null then answers else 0 end) as bigint) as n,
        cast(sum(case when question_score is null then answers else 0 end) as bigint) as n_na,
        sum(answers * score_percent) as total,
        sum(answers * score_percent * score_percent) as squares,
        sum(answers * score_percent * score_percent * score_percent) as cubes,
        sum(
            case when score_percent is not null and not is_bonus
                then answers * (max_question_score - question_score) end
        ) as points_lost,
        sum(case when score_percent is not null then answers * max_question_score end) as max_points,
        cast(sum(case when score_percent < 100 and not is_bonus then answers else 0 end) as bigint) as short
    from scored
    group by rubric_id, section_id, question_id, person_id
),
worded as (
    select wording.rubric_name, wording.section_name, wording.question, per_person.*
    from per_person
    join wording on wording.rubric_id = per_person.rubric_id and wording.question_id = per_person.question_id
)
select * from worded

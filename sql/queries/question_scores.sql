-- One row per rubric, section, question and person: counts and sums of the question's score in percent of its maximum.
-- A multi-select question has several rows for a grade: they are one answer here. N/A answers count in n_na only.
-- Questions of a section without points of its own (bonus, auto-fail) lose none.
-- since       timestamptz  optional, default: everything; grades reported at or after it (date_reported_as)
-- until       timestamptz  optional, default: everything; grades reported before it
-- team        varchar      optional, a group's name or id
-- agent       varchar      optional, a person's name, e-mail address or any of their ids
-- rubric      varchar      optional, a rubric's name or id
-- source      varchar      optional, a helpdesk
-- grade_type  varchar      optional, default: grading; 'any' for all
with wanted_people as (
    select person_id from agent_ids where agent_id = coalesce(getvariable('agent'), '')
    union
    select person_id from agents where coalesce(getvariable('agent'), '') in (person_id, agent_name, agent_email)
),
wanted_team as (
    select person_id from team_members where coalesce(getvariable('team'), '') in (group_id, group_name)
),
answers_of_people as (
    select answers.*, ids.person_id
    from individual_answers as answers
    join agent_ids as ids on ids.agent_id = answers.agent_id
),
chosen as (
    select *
    from answers_of_people
    where coalesce(date_reported_as, timestamptz '1970-01-01T00:00:00Z')
            >= coalesce(getvariable('since'), timestamptz '1970-01-01T00:00:00Z')
        and coalesce(date_reported_as, timestamptz '1970-01-01T00:00:00Z')
            < coalesce(getvariable('until'), timestamptz '2970-01-01T00:00:00Z')
        and coalesce(getvariable('grade_type'), 'grading') in ('any', grade_type)
        and coalesce(getvariable('rubric'), '') in ('', rubric_id, rubric_name)
        and coalesce(getvariable('source'), '') in ('', source)
        and (coalesce(getvariable('agent'), '') = '' or person_id in (select person_id from wanted_people))
        and (coalesce(getvariable('team'), '') = '' or person_id in (select person_id from wanted_team))
),
answered as (
    select
        grade_key,
        question_id,
        section_id,
        rubric_id,
        person_id,
        max(question_score) as question_score,
        max(max_question_score) as max_question_score
    from chosen
    group by grade_key, question_id, section_id, rubric_id, person_id
),
wording as (
    select
        rubric_id,
        question_id,
        max(rubric_name) as rubric_name,
        max(section_name) as section_name,
        max(question) as question
    from individual_answers
    group by rubric_id, question_id
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
        bonus.section_id is not null as is_bonus,
        case when max_question_score > 0 then 100 * question_score / max_question_score end as score_percent
    from answered
    left join bonus on bonus.section_id = answered.section_id
),
per_person as (
    select
        rubric_id,
        section_id,
        question_id,
        person_id,
        max(is_bonus) as is_bonus,
        count(score_percent) as n,
        count(*) - count(question_score) as n_na,
        sum(score_percent) as total,
        sum(score_percent * score_percent) as squares,
        sum(score_percent * score_percent * score_percent) as cubes,
        sum(case when score_percent is not null and not is_bonus then max_question_score - question_score end)
            as points_lost,
        sum(case when score_percent is not null then max_question_score end) as max_points,
        count(case when score_percent < 100 and not is_bonus then 1 end) as short
    from scored
    group by rubric_id, section_id, question_id, person_id
),
worded as (
    select wording.rubric_name, wording.section_name, wording.question, per_person.*
    from per_person
    join wording on wording.rubric_id = per_person.rubric_id and wording.question_id = per_person.question_id
)
select * from worded

-- One row per question that was coached, person and day with a scored answer to it: how many answers, and the sum of their
-- scores in percent of the question's maximum. A multi-select question's rows for a grade are one answer.
-- since       timestamptz  optional, default: everything; grades reported at or after it (date_reported_as)
-- until       timestamptz  optional, default: everything; grades reported before it
-- team        varchar      optional, a group's name or id
-- agent       varchar      optional, a person's name, e-mail address or any of their ids
-- rubric      varchar      optional, a rubric's name or id
-- source      varchar      optional, a helpdesk
-- grade_type  varchar      optional, default: grading; 'any' for all
-- week_zone   varchar      optional, default: UTC; the time zone in which weeks, months and days begin
with wanted_people as (
    select person_id from agent_ids where agent_id = coalesce(getvariable('agent'), '')
    union
    select person_id from agents where coalesce(getvariable('agent'), '') in (person_id, agent_name, agent_email)
),
wanted_team as (
    select person_id from team_members where coalesce(getvariable('team'), '') in (group_id, group_name)
),
-- By ids of agents, which is done before the long scans: joining the person to 20 million rows doubles the time.
people as (
    select agent_id, person_id
    from agent_ids
    where (coalesce(getvariable('agent'), '') = '' or person_id in (select person_id from wanted_people))
        and (coalesce(getvariable('team'), '') = '' or person_id in (select person_id from wanted_team))
),
chosen as not materialized (
    select *
    from individual_answers
    where coalesce(date_reported_as, timestamptz '1970-01-01T00:00:00Z')
            >= coalesce(getvariable('since'), timestamptz '1970-01-01T00:00:00Z')
        and coalesce(date_reported_as, timestamptz '1970-01-01T00:00:00Z')
            < coalesce(getvariable('until'), timestamptz '2970-01-01T00:00:00Z')
        and coalesce(getvariable('grade_type'), 'grading') in ('any', grade_type)
        and coalesce(getvariable('rubric'), '') in ('', rubric_id, rubric_name)
        and coalesce(getvariable('source'), '') in ('', source)
        and agent_id in (select agent_id from people)
),
coached as (
    select distinct criteria_id as question_id from coaching_points where criteria_id is not null
),
answered as (
    select
        grade_key,
        agent_id,
        question_id,
        max(100 * question_score / nullif(max_question_score, 0)) as score_percent,
        max(date_reported_as) as date_reported_as
    from chosen
    where question_id in (select question_id from coached) and date_reported_as is not null
    group by grade_key, agent_id, question_id
),
daily as (
    select
        answered.question_id,
        people.person_id,
        cast(answered.date_reported_as at time zone coalesce(getvariable('week_zone'), 'UTC') as date) as day,
        count(*) as n,
        sum(answered.score_percent) as total
    from answered
    join people on people.agent_id = answered.agent_id
    where answered.score_percent is not null
    group by
        answered.question_id,
        people.person_id,
        cast(answered.date_reported_as at time zone coalesce(getvariable('week_zone'), 'UTC') as date)
)
select * from daily

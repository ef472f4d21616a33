-- One row per question that was coached, person and day with a scored answer to it: how many answers, and the sum of their
-- scores in percent of the question's maximum. A multi-select question's rows for a grade are one answer.
-- Filters: the variables of the view filtered_grades, applied by filtered_answers.
-- week_zone   varchar      optional, default: UTC; the time zone in which weeks, months and days begin
with coached as (
    select distinct criteria_id as question_id from coaching_points where criteria_id is not null
),
answered as (
    select
        grade_key,
        agent_id,
        question_id,
        max(100 * question_score / nullif(max_question_score, 0)) as score_percent,
        max(date_reported_as) as date_reported_as
    from filtered_answers
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
    join agent_ids as people on people.agent_id = answered.agent_id
    where answered.score_percent is not null
    group by
        answered.question_id,
        people.person_id,
        cast(answered.date_reported_as at time zone coalesce(getvariable('week_zone'), 'UTC') as date)
)
select * from daily

-- One row per person, rubric and score (rounded to two points): how many grades have it. Control limits are worked out
-- from these counts.
-- Filters: the variables of the view filtered_grades.
with rounded as (
    select person_id, rubric_id, 2 * cast(round(score_percent / 2) as bigint) as score
    from filtered_grades
    where date_reported_as is not null and score_percent is not null
),
counted as (
    select person_id, rubric_id, score, count(*) as n from rounded group by person_id, rubric_id, score
),
named as (
    select agents.agent_name, counted.*
    from counted
    left join agents on agents.person_id = counted.person_id
)
select * from named

-- One row per person whom the variables agent and team choose; every person where neither is set.
-- Filters: agent and team, the variables of the view filtered_people.
with chosen as (
    select person_id, agent_name, agent_email, available
    from agents
    where person_id in (select person_id from filtered_people)
),
ordered as (
    select * from chosen order by agent_name, person_id
)
select * from ordered

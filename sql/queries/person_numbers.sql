-- One row per person: the number that stands for the person in grader_cells.
with persons as (
    select distinct person_id from agent_ids
),
numbered as (
    select row_number() over (order by person_id) as person, person_id from persons order by person
)
select * from numbered

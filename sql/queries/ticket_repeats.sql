-- One row per person with tickets that were graded more than once (under several rubrics): how alike such grades are.
-- deviations are from the mean of the rubric and of the person; products are those of two grades of one ticket.
-- Filters: the variables of the view filtered_grades.
with placed as not materialized (
    select
        person_id,
        rubric_id,
        coalesce(source, '') || '|' || gradable_id as ticket,
        score_percent
    from filtered_grades
    where score_percent is not null and person_id is not null
),
tickets as (
    select person_id, ticket from placed group by person_id, ticket having count(*) > 1
),
repeated as (
    select placed.* from placed join tickets using (person_id, ticket)
),
rubric_means as (
    select rubric_id, avg(score_percent) as rubric_mean from repeated group by rubric_id
),
moved as (
    select repeated.person_id, repeated.ticket, repeated.score_percent - rubric_means.rubric_mean as score
    from repeated
    join rubric_means on rubric_means.rubric_id is not distinct from repeated.rubric_id
),
person_means as (
    select person_id, avg(score) as person_mean from moved group by person_id
),
deviations as (
    select moved.person_id, moved.ticket, moved.score - person_means.person_mean as deviation
    from moved
    join person_means using (person_id)
),
per_ticket as (
    select
        person_id,
        ticket,
        count(*) as grades,
        sum(deviation) as total,
        sum(deviation * deviation) as squares
    from deviations
    group by person_id, ticket
),
per_person as (
    select
        person_id,
        cast(sum(grades) as bigint) as repeated_grades,
        cast(sum(grades * (grades - 1)) as bigint) as pairs,
        sum(total * total - squares) as products,
        sum(squares) as squares
    from per_ticket
    group by person_id
    order by person_id
)
select * from per_person

-- One row per person, helpdesk, score (whole percents) and CSAT score: how many tickets had both.
-- A ticket graded twice counts once, with the mean of its scores. Tickets without a survey have a null CSAT score.
-- Filters: the variables of the view filtered_grades.
with chosen as (
    select filtered.*, csat.csat_score
    from filtered_grades as filtered
    left join csat on csat.gradable_id = filtered.gradable_id and csat.source is not distinct from filtered.source
),
tickets as (
    select
        source,
        gradable_id,
        min(person_id) as person_id,
        avg(score_percent) as score_percent,
        max(csat_score) as csat_score
    from chosen
    where score_percent is not null
    group by source, gradable_id
),
pairs as (
    select person_id, source, cast(round(score_percent) as integer) as score_percent, csat_score, count(*) as tickets
    from tickets
    group by person_id, source, cast(round(score_percent) as integer), csat_score
)
select * from pairs

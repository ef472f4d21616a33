-- One row per rubric: whether its grades' scores follow from their sections, added up by points or by section weights.
-- The way that fits more grades is taken for the rubric's. An inferred auto-fail (0 although a section earned points)
-- is no mismatch.
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
chosen as (
    select *
    from recomputed_scores
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
per_rubric as (
    select
        rubric_id,
        count(case when fits_points then 1 end) as fit_points,
        count(case when fits_weighted then 1 end) as fit_weighted
    from chosen
    group by rubric_id
),
judged as (
    select
        chosen.*,
        case
            when per_rubric.fit_weighted > per_rubric.fit_points then 'weighted'
            when per_rubric.fit_points > 0 then 'points'
            else 'unknown'
        end as scoring
    from chosen
    join per_rubric on per_rubric.rubric_id = chosen.rubric_id
),
settled as (
    select
        *,
        case when scoring = 'weighted' then weighted_percent else points_percent end as recomputed,
        case when scoring = 'weighted' then fits_weighted else fits_points end as fits
    from judged
),
summed as (
    select
        rubric_id,
        max(rubric_name) as rubric_name,
        max(scoring) as scoring,
        count(score_percent) as n,
        count(case when score_percent is null or recomputed is null then 1 end) as n_na,
        count(case when fits then 1 end) as fitting,
        count(case when autofail_inferred and not fits then 1 end) as autofails_inferred,
        count(
            case when not fits and not autofail_inferred and score_percent is not null and recomputed is not null
                then 1 end
        ) as mismatches,
        max(case when not autofail_inferred then abs(score_percent - recomputed) end) as largest_gap
    from settled
    group by rubric_id
    order by rubric_id
)
select * from summed

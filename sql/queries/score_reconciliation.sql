-- One row per rubric: whether its grades' scores follow from their sections, added up by points or by section weights.
-- The way that fits more grades is taken for the rubric's. An inferred auto-fail (0 although a section earned points)
-- is no mismatch.
-- Filters: the variables of the view filtered_grades.
with chosen as (
    select * from recomputed_scores where grade_key in (select grade_key from filtered_grades)
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

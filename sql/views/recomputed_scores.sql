-- One row per live grade: its score in percent beside what its sections add up to, by points and by section weights.
-- N/A sections count in neither sum, nor do sections without points of their own.
--   points_percent     100 * points of all sections / points that could be reached (percent)
--   weighted_percent   mean of the sections' percentages, weighted by section_weight (percent)
--   fits_points        whether score_percent is points_percent, to 0.05 points
--   fits_weighted      whether score_percent is weighted_percent, to 0.05 points
--   autofail_inferred  whether the score is 0 although a section earned points
with from_sections as (
    select
        grade_key,
        100 * sum(section_score)
            / nullif(sum(case when max_section_score > 0 and section_score is not null then max_section_score end), 0)
            as points_percent,
        100 * sum(case when max_section_score > 0 then section_weight * section_score / max_section_score end)
            / nullif(sum(case when max_section_score > 0 and section_score is not null then section_weight end), 0)
            as weighted_percent
    from section_scores
    group by grade_key
),
compared as (
    select
        scored.*,
        parts.points_percent,
        parts.weighted_percent,
        coalesce(abs(scored.score_percent - parts.points_percent) <= 0.05, false) as fits_points,
        coalesce(abs(scored.score_percent - parts.weighted_percent) <= 0.05, false) as fits_weighted,
        scored.score_percent = 0 and parts.points_percent > 0 as autofail_inferred
    from scored_grades as scored
    left join from_sections as parts on parts.grade_key = scored.grade_key
)
select * from compared

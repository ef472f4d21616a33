-- One row per moment that a live grade counts for and no export covers; none where nothing was ever covered, or where
-- include_uncovered is set. Not made from scored_grades, whose other joins would take most of the time.
--   moment  date_reported_as of the grade, else date_graded
-- include_uncovered  boolean      optional, default: false
select distinct coalesce(scores.date_reported_as, scores.date_graded) as moment
from total_scores as scores
left join covered_time as covered
    on coalesce(scores.date_reported_as, scores.date_graded) >= covered.window_start
    and coalesce(scores.date_reported_as, scores.date_graded) < covered.window_end
where covered.window_start is null
    and coalesce(scores.date_reported_as, scores.date_graded) is not null
    and (select count(*) from covered_time) > 0
    and not coalesce(getvariable('include_uncovered'), false)

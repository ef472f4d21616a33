-- One row per live grade: its total score, the person graded, the score in percent. The view grades has the CSAT and
-- is_whole too, which take most of the time to look up.
--   person_id      the person graded; see agents
--   score_percent  100 * rubric_score / max_rubric_score, over 100 with bonus; null without a score or a maximum (percent)
--   is_covered     whether date_reported_as (else date_graded) lies in covered time; null where nothing was ever covered
select
    scores.*,
    ids.person_id,
    -- 18.4 of 23 points are 80 %, but 79.99999999999999 in floating point: below a threshold that they reach.
    round(100 * scores.rubric_score / nullif(scores.max_rubric_score, 0), 10) as score_percent,
    case
        when (select count(*) from covered_time) > 0 and coalesce(scores.date_reported_as, scores.date_graded) is not null
            then covered.window_start is not null
    end as is_covered
from total_scores as scores
left join agent_ids as ids on ids.agent_id = scores.agent_id
left join covered_time as covered
    on coalesce(scores.date_reported_as, scores.date_graded) >= covered.window_start
    and coalesce(scores.date_reported_as, scores.date_graded) < covered.window_end

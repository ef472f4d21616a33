"""Pure statistics over numpy arrays (survival: polars frames): no database, no clock.

intervals    of a mean (skewness-corrected t), a share (Wilson), a clustered mean; sample sizes
mixed        agents under an average grader: mixed model of agent, grader, rubric and month
day_clusters grades of one grader and day that resemble each other
shrinkage    what is left of differences between agents after noise is taken out; rank intervals
reliability  Krippendorff's alpha, weighted kappa, Gwet's AC1, ICC(A,1), the vendor's alignment
severity     additive effects of graders, exact, with connected components
trials       each day's coached beside those who were not; effects: what a session is worth, four ways
matching     like with like; regression: least squares with errors clustered by agent
survival     Kaplan-Meier with censoring
process      control charts: limits from own values, binomial p', XmR, EWMA
codes        numbers that stand for names
"""

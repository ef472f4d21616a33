"""Pure statistics over numpy arrays (survival: polars frames): no database, no clock.

arrays           codes that stand for names, symmetric matrices, matrix products on one thread
intervals        of a mean (skewness-corrected t), a share (Wilson), a clustered mean; sample sizes
mixed            agents under an average grader, by a mixed model of agent, grader, rubric and month
mixed_equations  the equations of that model, solved for many spreads at once
severity         additive effects of graders, exact, with connected components
day_effects      grades of one grader and day, or of days near each other, that resemble each other
shrinkage        what is left of differences between agents after noise is taken out
reliability      Krippendorff's alpha, weighted kappa, Gwet's AC1, ICC(A,1)
trials           each day's coached beside those who were not, and like matched with like
effects          what a session is worth, four ways; least squares with errors clustered by agent
survival         Kaplan-Meier with censoring
process          control charts: limits from own values, binomial p', EWMA
"""

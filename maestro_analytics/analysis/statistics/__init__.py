"""Pure statistics over numpy arrays: no database, no frames, no clock.

intervals    of a mean (skewness-corrected t), a share (Wilson), a clustered mean; sample sizes
shrinkage    what is left of differences between agents after noise is taken out; rank intervals
reliability  Krippendorff's alpha, weighted kappa, Gwet's AC1, ICC(A,1), the vendor's alignment
severity     additive effects of graders, exact, with connected components
regression   least squares with errors clustered by agent; matching
survival     Kaplan-Meier with censoring
process      XmR and Laney p' control charts
"""

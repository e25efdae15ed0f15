"""The command line (`main`): each verb is a function whose annotated parameters are its options (`options`)."""

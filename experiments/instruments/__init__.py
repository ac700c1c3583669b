"""What several probes measure with: interventions, subspaces, decoders, beliefs to compare with.

Read ``interventions`` first: what is put in place of stores, and when. ``vectors`` turns stores
into vectors and back, ``decoder`` reads them and takes out what it reads.
"""

"""Which strategy a sequence of choices follows: what each predicts, fitted and compared.

Read ``models`` first, the strategies; ``evidence`` is what they are fitted to, ``histories`` those
on which they disagree, ``reader`` the comparison that the strategy probe reports.
"""

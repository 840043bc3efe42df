"""`mcpkit serve --shared`: what runs before any of the server is imported, and what starts it.

`relay` is what a host starts: it joins the warm server of the same `identity` through a socket in
the user's folder (`places`, `knocking`), and has it started (`starting`) when there is none.
`hosting` is what the server itself knows of being shared; `looking` finds and stops servers. What
a relay imports: the standard library, and those modules of the core that import nothing else.
"""

from random_graphs import *
import neighbours as p2, random, sys
def trial8(seed,dt,flags,tap):
    rd=random.Random(seed); plan=[]; kinds=[0,0]
    def add(n,ops,k): plan.append((n,ops)); kinds.append(k); return len(kinds)-1
    for k in range(rd.randint(2,8)):
        full=[i for i,s in enumerate(kinds) if s==0]
        c=rd.random()
        if c<.3:
            src=rd.choice(full)
            sq=add('SQUARE',[src],0) if rd.random()<.5 else add('MUL2',[src,src],0)
            add(rd.choice(['MEAN','SUM']),[sq],1); continue
        if c<.4: add(rd.choice(['MEAN','SUM','RMAX']),[rd.choice(full)],1); continue
        if c<.6 and 1 in kinds:
            add(rd.choice(['ADD2','SUB2','MUL2']),[rd.choice(full),rd.choice([i for i,s in enumerate(kinds) if s==1])],0); continue
        n=rd.choice(list(U)); add(n,[rd.choice(full[-4:]) for _ in range(U[n][0])],0)
    mk=lambda n: R[n] if n in R else U[n][1]
    wide=set()
    for j,(n,ops) in enumerate(plan):
        i=j+2
        if any(o in wide for o in ops): wide.add(i)
        if n in('MEAN','SUM') and ops[0]>=2:
            pn,po=plan[ops[0]-2]
            if pn=='SQUARE' or (pn=='MUL2' and po[0]==po[1]): wide.add(i)
    r=np.random.RandomState(seed); feeds=[(r.randn(*S)).astype(np.float16) for _ in range(2)]
    g=G(); ts=[g.inp(S,dt) for _ in range(2)]
    for n,ops in plan: ts.append(mk(n)(g,[ts[i] for i in ops],dt))
    used={i for _,o in plan for i in o}; outs=[i for i in range(2,len(ts)) if tap or i not in used]
    got=run(g,[ts[i] for i in outs],feeds,flags)
    vals=list(feeds)
    for n,ops in plan:
        q=G(); ids={}
        for i in ops:
            if i not in ids: ids[i]=q.inp(S if kinds[i]==0 else [1,4,4,1],dt)
        y=mk(n)(q,[ids[i] for i in ops],dt); vals.append(run(q,[y],[vals[i] for i in ids],flags)[0])
    w=np.uint16 if dt==F16 else np.uint32; res=[]
    for o,i in zip(got,outs):
        e=vals[i]; same=(o.view(w)==np.asarray(e).view(w))|(np.isnan(o)&np.isnan(e))
        if not same.all() and i not in wide: res.append((i,plan[i-2],int((~same).sum())))
    return plan,res,len([i for i in outs if i not in wide])
lo,hi=int(sys.argv[1]),int(sys.argv[2])
for dt,flags in ((F16,0),(F32,4)):
  for tap in (0,1):
    n=bad=chk=0
    for seed in range(lo,hi):
        try: plan,res,c=trial8(seed,dt,flags,tap)
        except Exception as e: continue
        n+=1; chk+=c
        if res: bad+=1; (bad<=6) and print(dt,flags,seed,plan,res,flush=True)
    print('TYPE',dt,'tap',tap,'graphs',n,'tensors outside the wide region',chk,'graphs that differ there',bad,flush=True)

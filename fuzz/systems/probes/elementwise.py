from random_graphs import *
def rnd(x): 
    with np.errstate(all='ignore'): return x.astype(np.float32).astype(np.float16) if False else np.float16(x)
def f16(x):
    with np.errstate(all='ignore'): return np.asarray(x,np.float64).astype(np.float16)
N=1<<16
def rand16(seed):
    r=np.random.RandomState(seed); b=r.randint(0,1<<16,N).astype(np.uint16); v=b.view(np.float16); v[~np.isfinite(v)]=1; return v
def two(n,dt,flags,a,b):
    g=G(); i=g.inp([N],dt); j=g.inp([N],dt); y=bin2(n)(g,[i,j],dt) if n!='X' else None
    g.t[y].shape=[N]; return run(g,[y],[a,b],flags)[0].astype(np.float16)
with np.errstate(all='ignore'):
  for dt,flags in ((F16,0),(F32,4)):
    for n,f in dict(ADD=lambda a,b:a+b,SUB=lambda a,b:a-b,MUL=lambda a,b:a*b,DIV=lambda a,b:a/b,MAXIMUM=np.maximum,MINIMUM=np.minimum,SQUARED_DIFFERENCE=lambda a,b:None).items():
        tot=bad=bad2=clamp=0
        for s in range(6):
            a,b=rand16(2*s),rand16(2*s+1)
            if s>=3: a=f16(a.astype(float)); b=f16(a.astype(float)*np.random.RandomState(s).uniform(.5,2,N)); b[~np.isfinite(b)]=1
            A,Bb=a.astype(float),b.astype(float)
            got=two(n,dt,flags,a,b)
            if n=='SQUARED_DIFFERENCE':
                w1=f16(f16(A-Bb).astype(float)**2); w2=f16((A-Bb)**2); w3=f16(((A-Bb).astype(np.float32).astype(float))**2)
                ne=lambda w:int(((got!=w)&~(np.isnan(got)&np.isnan(w))).sum())
                bad+=ne(w1); bad2+=ne(w3); tot+=N; continue
            w=f16(f(A,Bb)); m=(got!=w)&~(np.isnan(got)&np.isnan(w)); bad+=int(m.sum()); tot+=N
            clamp+=int((m&(np.abs(got)==65504)&np.isinf(w)).sum())
        print(dt,flags,n,'n',tot,'not RN',bad,'(alt f32 diff)',bad2,'clamped',clamp)

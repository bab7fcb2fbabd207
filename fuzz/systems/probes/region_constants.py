from elementwise import f16
from random_graphs import *
def mean(g,i,dt,sh,ax):
    oo=tfl.ReducerOptionsT(); oo.keepDims=True
    return g.op('MEAN',[i,g.const(np.int32(ax),I32)],sh,dt,oo,B.ReducerOptions)
def b(g,n,xs,sh,dt):
    on={'ADD':'Add','SUB':'Sub','MUL':'Mul','DIV':'Div'}.get(n); o,t=opt(on); return g.op(n,xs,sh,dt,o,t)
x=f16(np.random.RandomState(0).randn(4,8)); dt=F32
def go(shared,outsel,kind):
    g=G(); i=g.inp([4,8],dt); c=g.const(np.float32([0.1]),F32); w=g.const(np.random.RandomState(2).randn(3,8).astype(np.float32),F32)
    sq=b(g,'MUL',[i,i],[4,8],dt); m=mean(g,sq,dt,[4,1],[1]); a=b(g,'ADD',[m,c],[4,1],dt); outs=[m,a]
    d=b(g,'DIV',[i,a],[4,8],dt); outs.append(d)
    if kind=='fc':
        o=tfl.FullyConnectedOptionsT(); o.keepNumDims=True; outs.append(g.op('FULLY_CONNECTED',[d,w,-1],[4,3],dt,o,B.FullyConnectedOptions))
    if kind=='mulw': outs.append(b(g,'MUL',[d,g.const(np.float32(np.random.RandomState(3).randn(8)),F32)],[4,8],dt))
    if shared: outs.append(b(g,'ADD',[i,c],[4,8],dt))
    return run(g,outs,[x],4)
c32=float(np.float32(.1)); c16=float(np.float16(.1))
for sh in (0,1):
    r=go(sh,None,'fc'); m,a,d=r[0].astype(float),r[1].astype(float),r[2].astype(float)
    print('m on grid',(f16(m)==m).all(),'add err f32 const',abs(a-(m+c32)).max(),'f16 const',abs(a-(m+c16)).max(), 'div err',abs(d-x.astype(float)/a).max(),'div on grid',(f16(d)==d).all())
    W=np.random.RandomState(2).randn(3,8).astype(np.float32); fc=r[3].astype(float)
    for nd,dd in (('d32',d),('d16',f16(d).astype(float))):
        for nw,ww in (('w32',W.astype(float)),('w16',f16(W).astype(float))): print('   fc',nd,nw,abs(fc-dd@ww.T).max(),end='')
    print(' fc on grid',(f16(fc)==fc).all())
    if sh: s=r[-1].astype(float); print('   shared add on grid',(f16(s)==s).all(),abs(s-(x.astype(float)+c32)).max(),'vs rounded16',abs(s-f16(x.astype(float)+c16).astype(float)).max())
r=go(0,None,'mulw'); d=r[2].astype(float); W=np.float32(np.random.RandomState(3).randn(8)).astype(float); print('mul w32',abs(r[3]-d*W).max(),'w16',abs(r[3]-d*f16(W).astype(float)).max())

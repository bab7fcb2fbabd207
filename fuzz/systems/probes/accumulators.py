from elementwise import f16
from random_graphs import *
r=np.random.RandomState(1)
def ints(sh,m): return r.randint(-m,m+1,sh).astype(np.float16)
def cmp(name,dt,flags,got,exact):
    got=got.astype(np.float16); w=f16(exact); m=(got!=w)&~(np.isnan(got)&np.isnan(w))
    ulp=np.abs(got.astype(float)-exact)/np.spacing(np.abs(w).astype(np.float16)).astype(float)
    print(dt,flags,name,'n',m.size,'not RN(exact)',int(m.sum()),'max ulp %.2f'%np.nanmax(np.where(np.isfinite(ulp),ulp,0)),flush=True)
with np.errstate(all='ignore'):
  for dt,flags in ((F16,0),(F32,4)):
    try:
      K=200; a,b=ints((1,16,K),63),ints((1,16,K),63)
      g=G(); i=g.inp(a.shape,dt); j=g.inp(b.shape,dt); o=tfl.BatchMatMulOptionsT(); o.adjX=False;o.adjY=True
      y=g.op('BATCH_MATMUL',[i,j],[1,16,16],dt,o,B.BatchMatMulOptions); got=run(g,[y],[a,b],flags)[0]
      cmp('BMM adjy',dt,flags,got,np.einsum('bik,bjk->bij',a.astype(float),b.astype(float)))
      a,b=ints((1,16,K),63),ints((1,K,16),63)
      g=G(); i=g.inp(a.shape,dt); j=g.inp(b.shape,dt); o=tfl.BatchMatMulOptionsT(); o.adjX=False;o.adjY=False
      y=g.op('BATCH_MATMUL',[i,j],[1,16,16],dt,o,B.BatchMatMulOptions); got=run(g,[y],[a,b],flags)[0]
      cmp('BMM',dt,flags,got,a.astype(float)@b.astype(float))
    except Exception as e: print('BMM',e)
    a=ints((64,K),63); w=ints((7,K),63); bias=ints((7,),2000)
    g=G(); i=g.inp(a.shape,dt); o=tfl.FullyConnectedOptionsT(); o.keepNumDims=True
    y=g.op('FULLY_CONNECTED',[i,wt(g,w,dt),wt(g,bias,dt)],[64,7],dt,o,B.FullyConnectedOptions)
    cmp('FC',dt,flags,run(g,[y],[a],flags)[0],a.astype(float)@w.astype(float).T+bias.astype(float))
    for op,keep in (('SUM',1),('MEAN',1)):
      for ax,sh in (([3],[1,4,4,1]),([1,2],[1,1,1,300]),([1,2,3],[1,1,1,1]),([1],[1,1,4,300])):
        a=ints((1,4,4,300),63); g=G(); i=g.inp(a.shape,dt); oo=tfl.ReducerOptionsT(); oo.keepDims=True
        y=g.op(op,[i,g.const(np.int32(ax),I32)],sh,dt,oo,B.ReducerOptions)
        A=a.astype(float); e=A.sum(axis=tuple(ax),keepdims=True) if op=='SUM' else A.mean(axis=tuple(ax),keepdims=True)
        cmp(op+str(ax),dt,flags,run(g,[y],[a],flags)[0],e)
    # conv 3x3 valid
    a=ints((1,8,8,40),63); w=ints((5,3,3,40),31); 
    e=np.zeros((1,6,6,5))
    for y0 in range(6):
      for x0 in range(6): e[0,y0,x0]=np.tensordot(w.astype(float),a[0,y0:y0+3,x0:x0+3].astype(float),3)
    g=G(); i=g.inp(a.shape,dt); o=tfl.Conv2DOptionsT(); o.padding=1;o.strideH=o.strideW=1;o.dilationHFactor=o.dilationWFactor=1
    y=g.op('CONV_2D',[i,wt(g,w,dt),wt(g,np.zeros(5,np.float16),dt)],[1,6,6,5],dt,o,B.Conv2DOptions)
    cmp('CONV',dt,flags,run(g,[y],[a],flags)[0],e)
    w=ints((1,3,3,40),63); e=np.zeros((1,6,6,40))
    for y0 in range(6):
      for x0 in range(6): e[0,y0,x0]=(w[0].astype(float)*a[0,y0:y0+3,x0:x0+3].astype(float)).sum((0,1))
    g=G(); i=g.inp(a.shape,dt); o=tfl.DepthwiseConv2DOptionsT(); o.padding=1;o.strideH=o.strideW=1;o.dilationHFactor=o.dilationWFactor=1;o.depthMultiplier=1
    y=g.op('DEPTHWISE_CONV_2D',[i,wt(g,w,dt),wt(g,np.zeros(40,np.float16),dt)],[1,6,6,40],dt,o,B.DepthwiseConv2DOptions)
    cmp('DW',dt,flags,run(g,[y],[a],flags)[0],e)
    # transpose conv stride 2 valid, kernel 2: out 2x; and kernel 3 stride 1
    for k,s in ((2,2),(3,1),(3,2)):
      try:
        H=6; OH=(H-1)*s+k; a=ints((1,H,H,40),63); w=ints((5,k,k,40),31); e=np.zeros((1,OH,OH,5))
        for y0 in range(H):
          for x0 in range(H): e[0,y0*s:y0*s+k,x0*s:x0*s+k]+=np.einsum('okjc,c->kjo',w.astype(float),a[0,y0,x0].astype(float))
        g=G(); i=g.inp(a.shape,dt); o=tfl.TransposeConvOptionsT(); o.padding=1;o.strideH=o.strideW=s
        y=g.op('TRANSPOSE_CONV',[g.const(np.int32([1,OH,OH,5]),I32),wt(g,w,dt),i],[1,OH,OH,5],dt,o,B.TransposeConvOptions)
        cmp(f'TCONV k{k}s{s}',dt,flags,run(g,[y],[a],flags)[0],e)
        aa=f16(r.randn(1,H,H,40)); ww=f16(r.randn(5,k,k,40)); e=np.zeros((1,OH,OH,5)); ea=e.copy()
        for y0 in range(H):
          for x0 in range(H):
            e[0,y0*s:y0*s+k,x0*s:x0*s+k]+=np.einsum('okjc,c->kjo',ww.astype(float),aa[0,y0,x0].astype(float)); ea[0,y0*s:y0*s+k,x0*s:x0*s+k]+=np.einsum('okjc,c->kjo',abs(ww).astype(float),abs(aa[0,y0,x0]).astype(float))
        g=G(); i=g.inp(a.shape,dt); o=tfl.TransposeConvOptionsT(); o.padding=1;o.strideH=o.strideW=s
        y=g.op('TRANSPOSE_CONV',[g.const(np.int32([1,OH,OH,5]),I32),wt(g,ww,dt),i],[1,OH,OH,5],dt,o,B.TransposeConvOptions)
        got=run(g,[y],[aa],flags)[0].astype(float)
        err=np.abs(got-e); one=np.spacing(np.abs(f16(e))).astype(float)/2
        print('   gaussian: off by more than half ulp + 1e-5 sum|ab|:',int((err>one*1.001+1e-5*ea).sum()),'of',err.size,'max err/(u sum|ab|) %.3f'%(err/(2**-11*ea)).max())
      except Exception as ex: print(dt,flags,'TCONV',k,s,'refused')
    # avg pool
    a=ints((1,8,8,40),63); g=G(); i=g.inp(a.shape,dt); o=tfl.Pool2DOptionsT(); o.padding=1;o.strideH=o.strideW=2;o.filterHeight=o.filterWidth=4
    y=g.op('AVERAGE_POOL_2D',[i],[1,3,3,40],dt,o,B.Pool2DOptions)
    e=np.zeros((1,3,3,40))
    for y0 in range(3):
      for x0 in range(3): e[0,y0,x0]=a[0,2*y0:2*y0+4,2*x0:2*x0+4].astype(float).mean((0,1))
    cmp('AVG',dt,flags,run(g,[y],[a],flags)[0],e)
    # leaky, prelu
    allx=np.arange(1<<16).astype(np.uint16).view(np.float16); allx=allx[np.isfinite(allx)].reshape(1,-1)
    for al in (.3,.01,-.7,1.7,5.3e-5):
        g=G(); i=g.inp(allx.shape,dt); o=tfl.LeakyReluOptionsT(); o.alpha=al
        y=g.op('LEAKY_RELU',[i],allx.shape,dt,o,B.LeakyReluOptions); got=run(g,[y],[allx],flags)[0].astype(np.float16)
        A=allx.astype(float)
        for nm,s in (('f32 slope',float(np.float32(al))),('f16 slope',float(np.float16(al)))):
            w=f16(np.where(A<0,A*s,A)); print(dt,flags,'LEAKY',al,nm,'differ',int((got!=w).sum()),end=' | ')
        print()
    sl=f16(r.uniform(-1,2,(allx.size//31,)).reshape(1,-1)); X2=allx.reshape(31,-1)
    g=G(); i=g.inp(X2.shape,dt); y=g.op('PRELU',[i,wt(g,sl.reshape(-1),dt)],X2.shape,dt)
    try: cmp('PRELU',dt,flags,run(g,[y],[X2],flags)[0],np.where(X2.astype(float)<0,X2.astype(float)*sl.astype(float),X2.astype(float)))
    except Exception as ex: print('PRELU refused')

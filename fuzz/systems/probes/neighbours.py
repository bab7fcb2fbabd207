from xnnpack_lib import *
import sys
B=tfl.BuiltinOptions
def opt(n): return getattr(tfl,n+'OptionsT')(), getattr(B,n+'Options')
rng=np.random.RandomState(0)
X=rng.uniform(1,2,(1,4,4,8)).astype(np.float16); C=rng.uniform(1,2,(1,4,4,8)).astype(np.float16)
H=(X.astype(np.float64)*C.astype(np.float64)).astype(np.float16)
def wt(g,a,dt): return g.const(a,F16) if dt==F16 else g.deq(a)
def unary(n): return lambda g,x,dt: g.op(n,[x],[1,4,4,8],dt)
def fc(g,x,dt):
    w=wt(g,rng.randn(3,8).astype(np.float16),dt); b=wt(g,np.zeros(3,np.float16),dt)
    o=tfl.FullyConnectedOptionsT(); o.keepNumDims=True
    return g.op('FULLY_CONNECTED',[x,w,b],[1,4,4,3],dt,o,B.FullyConnectedOptions)
def conv(g,x,dt):
    w=wt(g,rng.randn(3,3,3,8).astype(np.float16),dt); b=wt(g,np.zeros(3,np.float16),dt)
    o=tfl.Conv2DOptionsT(); o.padding=0;o.strideH=o.strideW=1;o.dilationHFactor=o.dilationWFactor=1
    return g.op('CONV_2D',[x,w,b],[1,4,4,3],dt,o,B.Conv2DOptions)
def dw(g,x,dt):
    w=wt(g,rng.randn(1,3,3,8).astype(np.float16),dt); b=wt(g,np.zeros(8,np.float16),dt)
    o=tfl.DepthwiseConv2DOptionsT(); o.padding=0;o.strideH=o.strideW=1;o.dilationHFactor=o.dilationWFactor=1;o.depthMultiplier=1
    return g.op('DEPTHWISE_CONV_2D',[x,w,b],[1,4,4,8],dt,o,B.DepthwiseConv2DOptions)
def pool(n):
    def f(g,x,dt):
        o=tfl.Pool2DOptionsT(); o.padding=1;o.strideH=o.strideW=2;o.filterHeight=o.filterWidth=2
        return g.op(n,[x],[1,2,2,8],dt,o,B.Pool2DOptions)
    return f
def red(n):
    def f(g,x,dt):
        a=g.const(np.int32([1,2]),I32); o=tfl.ReducerOptionsT(); o.keepDims=True
        return g.op(n,[x,a],[1,1,1,8],dt,o,B.ReducerOptions)
    return f
def transpose(g,x,dt): return g.op('TRANSPOSE',[x,g.const(np.int32([0,3,1,2]),I32)],[1,8,4,4],dt)
def reshape(g,x,dt): return g.op('RESHAPE',[x,g.const(np.int32([1,128]),I32)],[1,128],dt)
def softmax(g,x,dt):
    o=tfl.SoftmaxOptionsT(); o.beta=1.0; return g.op('SOFTMAX',[x],[1,4,4,8],dt,o,B.SoftmaxOptions)
def bmm(g,x,dt):
    o=tfl.BatchMatMulOptionsT(); o.adjX=False;o.adjY=True
    return g.op('BATCH_MATMUL',[x,x],[1,4,4,4],dt,o,B.BatchMatMulOptions)
def resize(g,x,dt):
    o=tfl.ResizeBilinearOptionsT(); o.halfPixelCenters=True
    return g.op('RESIZE_BILINEAR',[x,g.const(np.int32([8,8]),I32)],[1,8,8,8],dt,o,B.ResizeBilinearOptions)
def bino(n): return lambda g,x,dt: g.op(n,[x,x],[1,4,4,8],dt)
def concat(g,x,dt):
    o=tfl.ConcatenationOptionsT(); o.axis=3
    return g.op('CONCATENATION',[x,x],[1,4,4,16],dt,o,B.ConcatenationOptions)
def pad(g,x,dt): return g.op('PAD',[x,g.const(np.int32([[0,0],[1,1],[1,1],[0,0]]),I32)],[1,6,6,8],dt)
def slc(g,x,dt): return g.op('SLICE',[x,g.const(np.int32([0,0,0,0]),I32),g.const(np.int32([1,2,4,8]),I32)],[1,2,4,8],dt)
def d2s(g,x,dt):
    o=tfl.DepthToSpaceOptionsT(); o.blockSize=2
    return g.op('DEPTH_TO_SPACE',[x],[1,8,8,2],dt,o,B.DepthToSpaceOptions)
def prelu(g,x,dt): return g.op('PRELU',[x,wt(g,np.full((1,1,8),.3,np.float16),dt)],[1,4,4,8],dt)
def leaky(g,x,dt):
    o=tfl.LeakyReluOptionsT(); o.alpha=.3; return g.op('LEAKY_RELU',[x],[1,4,4,8],dt,o,B.LeakyReluOptions)
def gelu(a):
    def f(g,x,dt):
        o=tfl.GeluOptionsT(); o.approximate=a; return g.op('GELU',[x],[1,4,4,8],dt,o,B.GeluOptions)
    return f
def tconv(g,x,dt):
    w=wt(g,rng.randn(3,2,2,8).astype(np.float16),dt)
    o=tfl.TransposeConvOptionsT(); o.padding=1;o.strideH=o.strideW=2
    return g.op('TRANSPOSE_CONV',[g.const(np.int32([1,8,8,3]),I32),w,x],[1,8,8,3],dt,o,B.TransposeConvOptions)
OPS={n:unary(n) for n in 'ABS NEG EXP LOG LOGISTIC TANH SIN COS SQRT RSQRT SQUARE FLOOR CEIL ROUND RELU RELU6 RELU_N1_TO_1 ELU HARD_SWISH'.split()}
OPS.update({n:bino(n) for n in 'ADD SUB MUL DIV MAXIMUM MINIMUM SQUARED_DIFFERENCE'.split()})
OPS.update(FC=fc,CONV=conv,DW=dw,AVG=pool('AVERAGE_POOL_2D'),MAXPOOL=pool('MAX_POOL_2D'),MEAN=red('MEAN'),SUM=red('SUM'),RMAX=red('REDUCE_MAX'),TRANSPOSE=transpose,RESHAPE=reshape,SOFTMAX=softmax,BMM=bmm,RESIZE=resize,CONCAT=concat,PAD=pad,SLICE=slc,D2S=d2s,PRELU=prelu,LEAKY=leaky,GELU=gelu(False),GELUT=gelu(True),TCONV=tconv)
if __name__=='__main__':
    for name,f in OPS.items():
        line=[name]
        for dt,flags in ((F16,0),(F32,4)):
            for chained in (False,True):
                g=G(); x=g.inp([1,4,4,8],dt); c=g.inp([1,4,4,8],dt); h=g.inp([1,4,4,8],dt)
                s=g.op('MUL',[x,c],[1,4,4,8],dt,tfl.MulOptionsT(),B.MulOptions)
                y=g.op('SUB',[s,h],[1,4,4,8],dt,tfl.SubOptionsT(),B.SubOptions)
                z=f(g,s if chained else x,dt)
                try:
                    r=run(g,[y,z],[X,C,H],flags); d=r[0].astype(float); n=int((d!=0).sum())
                    zz=r[1].astype(np.float64); grid='' if dt==F16 or (zz==zz.astype(np.float16).astype(float)).all() else ' OFFGRID'
                    line.append(('EXCESS' if n else 'rounded')+grid)
                except Exception as e: line.append('refused')
        print(' '.join(f'{c:<16}' for c in line),flush=True)

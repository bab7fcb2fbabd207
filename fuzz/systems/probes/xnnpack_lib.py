import os, flatbuffers, numpy as np
from ai_edge_litert import schema_py_generated as tfl
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.options import CpuOptions, Options
F16,F32,I32=tfl.TensorType.FLOAT16,tfl.TensorType.FLOAT32,tfl.TensorType.INT32
NP={F16:np.float16,F32:np.float32,I32:np.int32}
class G:
    def __init__(s): s.t=[];s.ops=[];s.codes=[];s.bufs=[tfl.BufferT()];s.ins=[];s.outs=[];s.ci={}
    def tensor(s,shape,dt,data=None):
        t=tfl.TensorT(); t.name=f"t{len(s.t)}"; t.shape=list(shape); t.type=dt; t.hasRank=True; t.buffer=0
        if data is not None:
            b=tfl.BufferT(); b.data=np.frombuffer(np.ascontiguousarray(np.asarray(data).astype(NP[dt])).tobytes(),np.uint8); s.bufs.append(b); t.buffer=len(s.bufs)-1
        s.t.append(t); return len(s.t)-1
    def inp(s,shape,dt): i=s.tensor(shape,dt); s.ins.append(i); return i
    def const(s,data,dt): data=np.asarray(data); return s.tensor(data.shape,dt,data)
    def deq(s,data):
        c=s.const(data,F16); return s.op('DEQUANTIZE',[c],np.asarray(data).shape,F32,ver=3)
    def op(s,name,ins,shape,dt,opt=None,optt=None,ver=1):
        bc=getattr(tfl.BuiltinOperator,name)
        if (bc,ver) not in s.ci:
            c=tfl.OperatorCodeT(); c.deprecatedBuiltinCode=min(bc,127); c.builtinCode=bc; c.version=ver; s.codes.append(c); s.ci[(bc,ver)]=len(s.codes)-1
        o=tfl.OperatorT(); o.opcodeIndex=s.ci[(bc,ver)]; o.inputs=list(ins); y=s.tensor(shape,dt); o.outputs=[y]
        if opt is not None: o.builtinOptions=opt; o.builtinOptionsType=optt
        s.ops.append(o); return y
    def model(s,outs):
        g=tfl.SubGraphT(); g.tensors=s.t; g.inputs=s.ins; g.outputs=outs; g.operators=s.ops
        m=tfl.ModelT(); m.version=3; m.operatorCodes=s.codes; m.subgraphs=[g]; m.buffers=s.bufs
        b=flatbuffers.Builder(); b.Finish(m.Pack(b),b"TFL3"); return bytes(b.Output())
def run(g,outs,feeds,flags):
    mb=g.model(outs)
    m=CompiledModel.from_buffer(mb,options=Options(cpu_options=CpuOptions(xnnpack_flags=flags)))
    i,o=m.create_input_buffers(0),m.create_output_buffers(0)
    for b,f,t in zip(i,feeds,g.ins): b.write(np.ascontiguousarray(np.asarray(f).astype(NP[g.t[t].type])))
    m.run_by_index(0,i,o)
    res=[]
    for b,t in zip(o,outs):
        sh=g.t[t].shape; n=int(np.prod(sh)); res.append(b.read(n,NP[g.t[t].type]).reshape(sh))
    return res

namespace TorchSharp;

public static partial class torch
{
    public partial class Tensor
    {
        public Tensor alias() => Ops.alias.Call(this);
        public Tensor add(Tensor target) => Ops.add_Tensor.Call(this, target);
        public Tensor add(Tensor target, Scalar alpha) => Ops.add_Tensor.Call(this, target, alpha);
        public Tensor add_(Tensor target) => Ops.add__Tensor.CallInPlace(this, target);
        public static Tensor operator +(Tensor left, Tensor right) => left.add(right);
    }
    public static Tensor empty(long[] size, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) => Ops.empty.Call(size, dtype);
}
public enum TensorStringStyle { Metadata }

using PostTrain.Torch.Interop;

namespace TorchSharp;

public static partial class torch
{
    // Numbers, slices and new dimensions become views one after another; what is left, tensors, goes into one aten::index.
    public partial class Tensor
    {
        public Tensor index(params TensorIndex[] indices)
        {
            var view = Viewed(indices, out var left);
            if (left is null) return ReferenceEquals(view, this) ? alias() : view;
            return Done(Ops.index_Tensor.Call(view, Argument.Optional(left)), view, left);
        }

        public Tensor index(params Tensor[] indices) => Ops.index_Tensor.Call(this, Argument.Optional(indices));

        /// <summary>Overwrites the elements that the indices select. A value without dimensions fills them and is converted to this tensor's type.</summary>
        /// <param name="accumulate">Whether values are added, also where an index occurs twice.</param>
        public Tensor index_put_(Tensor value, TensorIndex[] indices, bool accumulate = false)
        {
            var view = Viewed(indices, out var left);
            if (left is not null) Put(view, left, value, accumulate);
            else if (accumulate) view.add_(value);
            else Overwrite(view, value);
            _ = Done(this, view, left);
            return this;
        }

        public Tensor index_put_(Tensor value, Tensor[] indices, bool accumulate = false)
        {
            Put(this, indices, value, accumulate);
            return this;
        }

        public Tensor index_put_(Tensor value, params Tensor[] indices) => index_put_(value, indices, false);
        public Tensor index_put_(Tensor value, params TensorIndex[] indices) => index_put_(value, indices, false);

        public Tensor index_put_(Scalar value, params Tensor[] indices)
        {
            using var number = Filler(value);
            return index_put_(number, indices, false);
        }

        public Tensor index_put_(Scalar value, params TensorIndex[] indices)
        {
            using var number = Filler(value);
            return index_put_(number, indices, false);
        }

        private Tensor Filler(Scalar value) => Ops.scalar_tensor.Call(value, dtype, Argument.None, device);

        private static void Put(Tensor target, Tensor?[] indices, Tensor value, bool accumulate)
        {
            if (value.dtype == target.dtype || value.Dimensions > 0)
            {
                Discard(Ops.index_put_, target, Argument.Optional(indices), value, accumulate);
                return;
            }
            using var converted = value.to(target.dtype, target.device);
            Discard(Ops.index_put_, target, Argument.Optional(indices), converted, accumulate);
        }

        // An in-place operator on a view: the result is the view itself.
        private static void Discard(Operator op, params ReadOnlySpan<Argument> arguments) => _ = op.CallInPlace(arguments);

        // Leading dimensions of size 1 that the target lacks are dropped, as PyTorch does.
        private static void Overwrite(Tensor target, Tensor value)
        {
            long surplus = value.Dimensions - target.Dimensions;
            if (surplus <= 0)
            {
                target.copy_(value);
                return;
            }
            var sizes = value.shape;
            if (Array.Exists(sizes[..(int)surplus], size => size != 1))
            {
                target.copy_(value);
                return;
            }
            using var fitting = value.reshape(sizes[(int)surplus..]);
            target.copy_(fitting);
        }

        // The views of the indices that are no tensors, this tensor itself if there are none; left holds the others at their dimensions, null if there are none.
        private Tensor Viewed(TensorIndex[] indices, out Tensor?[]? left)
        {
            long given = 0;
            foreach (ref readonly var index in indices.AsSpan()) given += Consumed(index);
            if (given > Dimensions) throw new ArgumentException($"indices: given {given} for a tensor with {Dimensions} dimensions", nameof(indices));
            long ellipsis = Dimensions - given;
            var view = this;
            long dim = 0;
            List<Tensor?>? tensors = null;
            long folded = 0;
            foreach (ref readonly var index in indices.AsSpan())
            {
                switch (index.What)
                {
                    case TensorIndex.Kind.Single:
                        view = Then(view, view.select(dim, index.First!.Value));
                        break;
                    case TensorIndex.Kind.Slice:
                        if ((index.First, index.Last, index.Step) is not (null, null, null)) view = Then(view, view.Sliced(dim, index));
                        dim++;
                        break;
                    case TensorIndex.Kind.None:
                        view = Then(view, view.unsqueeze(dim++));
                        break;
                    case TensorIndex.Kind.Ellipsis:
                        dim += ellipsis;
                        ellipsis = 0;
                        break;
                    case TensorIndex.Kind.Bool:
                        view = Then(view, view.unsqueeze(dim));
                        Record(ref tensors, dim++ - folded, Truth(index.First != 0));
                        break;
                    default:
                        var tensor = index.Indices!;
                        if (tensor.Dimensions == 0 && tensor.dtype == ScalarType.Bool)
                        {
                            view = Then(view, view.unsqueeze(dim));
                            Record(ref tensors, dim++ - folded, Truth(tensor.ToBoolean()));
                        }
                        else if (tensor.Dimensions == 0 && tensor.is_integral())
                        {
                            view = Then(view, view.select(dim, tensor.ToInt64()));
                        }
                        else
                        {
                            Record(ref tensors, dim - folded, tensor.alias());
                            long consumed = Consumed(index);
                            // A mask is one entry of the list and stands for several dimensions.
                            folded += consumed - 1;
                            dim += consumed;
                        }
                        break;
                }
            }
            left = tensors?.ToArray();
            return view;
        }

        private static long Consumed(in TensorIndex index) => index.What switch
        {
            TensorIndex.Kind.Single or TensorIndex.Kind.Slice => 1,
            TensorIndex.Kind.Tensor => index.Indices!.dtype is ScalarType.Bool or ScalarType.Byte ? index.Indices.Dimensions : 1,
            _ => 0,
        };

        private Tensor Sliced(long dim, in TensorIndex index) => index.Step is null or > 0
            ? Ops.slice_Tensor.Call(this, dim, index.First, index.Last, index.Step ?? 1)
            : throw new ArgumentException($"step: given {index.Step}, expected a step of at least 1");

        private static Tensor Truth(bool value) => value ? zeros(1, ScalarType.Int64) : empty(0, ScalarType.Int64);

        private static void Record(ref List<Tensor?>? tensors, long position, Tensor tensor)
        {
            tensors ??= [];
            while (tensors.Count < position) tensors.Add(null);
            tensors.Add(tensor);
        }

        // The view before is given back, unless it is this tensor itself.
        private Tensor Then(Tensor view, Tensor next)
        {
            if (!ReferenceEquals(view, this)) view.Dispose();
            return next;
        }

        private Tensor Done(Tensor result, Tensor view, Tensor?[]? left)
        {
            if (!ReferenceEquals(view, this)) view.Dispose();
            foreach (var tensor in left ?? []) tensor?.Dispose();
            return result;
        }
    }
}

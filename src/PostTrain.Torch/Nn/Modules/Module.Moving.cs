using System.Diagnostics.CodeAnalysis;
using TorchSharp.Modules;

namespace TorchSharp;

public static partial class torch
{
    public static partial class nn
    {
        public partial class Module
        {
            // One move of a whole tree of modules: a parameter that several modules share is replaced by one new parameter.
            [ThreadStatic] private static Dictionary<Tensor, Tensor>? moved;

            protected internal virtual Module _to(Device device, ScalarType dtype, bool non_blocking) => Move(dtype, device, non_blocking);

            protected internal virtual Module _to(DeviceType deviceType, int deviceIndex, bool non_blocking) => Move(null, new Device(deviceType, deviceIndex), non_blocking);

            protected internal virtual Module _to(ScalarType dtype, bool non_blocking) => Move(dtype, null, non_blocking);

            public Module _to(Tensor other, bool non_blocking) => _to(other.device, other.dtype, non_blocking);

            protected void _toEpilog(Device device, ScalarType dtype, bool non_blocking) => _toEpilog((ScalarType?)dtype, device, non_blocking);

            protected void _toEpilog(DeviceType deviceType, int deviceIndex, bool non_blocking) => _toEpilog(null, new Device(deviceType, deviceIndex), non_blocking);

            protected void _toEpilog(ScalarType dtype, bool non_blocking) => _toEpilog((ScalarType?)dtype, null, non_blocking);

            /// <summary>Replaces this module's own parameters and buffers, in the registry and in the fields that hold them.</summary>
            protected virtual void _toEpilog(ScalarType? dtype, Device? device, bool non_blocking)
            {
                foreach (var (name, parameter) in _internal_params.ToArray())
                    if (ReplaceParameter(dtype, device, parameter, out var replaced)) ConditionallyRegisterParameter(name, replaced);
                foreach (var (name, (buffer, persistent)) in _internal_buffers.ToArray())
                    if (ReplaceBuffer(dtype, device, buffer, out var replaced)) ConditionallyRegisterBuffer(name, replaced, persistent);
                foreach (var (field, _) in ComponentFields(GetType()))
                    if (field.GetValue(this) is Tensor held && moved!.TryGetValue(held, out var replacement)) field.SetValue(this, replacement);
            }

            /// <summary>Makes the parameter that takes another's place, gradient included; false when nothing changes. Integers keep their type.</summary>
            protected static bool ReplaceParameter(ScalarType? dtype, Device? device, Parameter param, [NotNullWhen(true)] out Parameter? p)
            {
                p = null;
                if (!Changes(dtype, device, param, out var type, out var place)) return false;
                if (moved?.TryGetValue(param, out var known) == true)
                {
                    p = (Parameter)known;
                    return true;
                }
                using var _ = no_grad();
                bool requiresGrad = param.requires_grad;
                p = (Parameter)new Parameter(param.to(type, place, copy: true), requiresGrad).DetachFromDisposeScope();
                using var gradient = param.grad;
                if (gradient is not null)
                {
                    using var converted = gradient.to(type, place, copy: true);
                    p.grad = converted;
                }
                moved?.Add(param, p);
                return true;
            }

            /// <summary>Makes the buffer that takes another's place; false when nothing changes. Integers keep their type.</summary>
            protected static bool ReplaceBuffer(ScalarType? dtype, Device? device, Tensor buffer, [NotNullWhen(true)] out Tensor? result)
            {
                result = null;
                if (!Changes(dtype, device, buffer, out var type, out var place)) return false;
                if (moved?.TryGetValue(buffer, out result) == true) return true;
                using var _ = no_grad();
                result = buffer.to(type, place, copy: true).DetachFromDisposeScope();
                moved?.Add(buffer, result);
                return true;
            }

            private static bool Changes(ScalarType? dtype, Device? device, Tensor tensor, out ScalarType type, out Device place)
            {
                type = dtype is { } wanted && tensor.is_floating_point() ? wanted : tensor.dtype;
                place = device ?? tensor.device;
                return type != tensor.dtype || place.type != tensor.device_type || place.NativeIndex != tensor.device.NativeIndex;
            }

            private Module Move(ScalarType? dtype, Device? device, bool non_blocking)
            {
                if (dtype is { } type && !torch.is_floating_point(type))
                    throw new ArgumentException($"dtype: given {type}, expected a floating-point type; a module's integers keep theirs", nameof(dtype));
                bool outermost = moved is null;
                moved ??= new Dictionary<Tensor, Tensor>(ReferenceEqualityComparer.Instance);
                try
                {
                    foreach (var (_, child) in named_children()) child.MoveAs(dtype, device, non_blocking);
                    _toEpilog(dtype, device, non_blocking);
                    if (device is not null) (_deviceType, _deviceIndex) = (device.type, device.index);
                    // What was replaced is of no more use: an optimiser that still holds it shall fail, not train in vain.
                    if (outermost)
                        foreach (var old in moved.Keys) old.Dispose();
                    return this;
                }
                finally
                {
                    if (outermost) moved = null;
                }
            }

            // By the virtual method that a subclass may have overridden.
            private void MoveAs(ScalarType? dtype, Device? device, bool non_blocking)
            {
                if (dtype is { } type && device is not null) _to(device, type, non_blocking);
                else if (dtype is { } only) _to(only, non_blocking);
                else _to(device!.type, device.index, non_blocking);
            }
        }
    }
}

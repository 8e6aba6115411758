using System.Collections.Concurrent;
using System.Reflection;
using TorchSharp.Modules;

namespace TorchSharp;

public static partial class torch
{
    public static partial class nn
    {
        public partial class Module
        {
            private static readonly ConcurrentDictionary<Type, (FieldInfo Field, string Name)[]> componentFields = new();

            /// <summary>Registers what the object's fields hold: modules, parameters, and other tensors as buffers; null and what is registered already is passed over.</summary>
            protected virtual void RegisterComponents()
            {
                foreach (var (field, component) in ComponentFields(GetType()))
                {
                    if (_internal_submodules.ContainsKey(component) || _internal_params.ContainsKey(component) || _internal_buffers.ContainsKey(component)) continue;
                    switch (field.GetValue(this))
                    {
                        case Module module: register_module(component, module); break;
                        case Parameter parameter: register_parameter(component, parameter); break;
                        case Tensor tensor: register_buffer(component, tensor); break;
                    }
                }
            }

            public void add_module(string name, Module module) => register_module(name, module);

            /// <summary>Takes a module in under a name; null removes what has the name.</summary>
            public virtual void register_module(string name, Module submodule)
            {
                if (submodule is null)
                {
                    _internal_submodules.Remove(name);
                    return;
                }
                RefuseBadName(name, nameof(name));
                if (!TryAdd(_internal_submodules, name, submodule)) throw new InvalidOperationException($"Sub-module {name} is already registered.");
                submodule.RegisterComponents();
            }

            public virtual void register_parameter(string name, Parameter param)
            {
                if (param is null || param.IsInvalid) throw new ArgumentNullException(nameof(param), "A null tensor cannot be registered as a parameter.");
                RefuseBadName(name, nameof(name));
                if (!TryAdd(_internal_params, name, param)) throw new InvalidOperationException($"Parameter {name} is already registered.");
            }

            /// <param name="persistent">Whether the buffer belongs to the state that is saved.</param>
            public virtual void register_buffer(string name, Tensor tensor, bool persistent = true)
            {
                if (tensor is null || tensor.IsInvalid) throw new ArgumentNullException(nameof(tensor), "A null tensor cannot be registered as a buffer.");
                RefuseBadName(name, nameof(name));
                if (!TryAdd(_internal_buffers, name, (tensor, persistent))) throw new InvalidOperationException($"Tensor {name} is already registered.");
            }

            /// <summary>Registers the parameter or puts it in the place of the one that has the name; null removes that.</summary>
            protected void ConditionallyRegisterParameter(string name, Parameter? value)
            {
                if (value is null) _internal_params.Remove(name);
                else _internal_params[name] = value;
            }

            protected void ConditionallyRegisterParameter(string name, Tensor value) =>
                ConditionallyRegisterParameter(name, value is null ? null : value as Parameter ?? new Parameter(value));

            /// <summary>Registers the buffer or puts it in the place of the one that has the name; null removes that.</summary>
            protected void ConditionallyRegisterBuffer(string name, Tensor? value, bool persistent = true)
            {
                if (value is null) _internal_buffers.Remove(name);
                else _internal_buffers[name] = (value, persistent);
            }

            protected void ClearModules() => _internal_submodules.Clear();

            private static bool TryAdd<T>(Utils.OrderedDict<string, T> registry, string name, T value)
            {
                if (registry.ContainsKey(name)) return false;
                registry.Add(name, value);
                return true;
            }

            private static void RefuseBadName(string name, string argument)
            {
                if (string.IsNullOrEmpty(name) || name.Contains('.'))
                    throw new ArgumentException($"{argument}: given \"{name}\", expected a name that is not empty and has no dot", argument);
            }

            // Fields of the whole class hierarchy, the base classes' first.
            private static (FieldInfo Field, string Name)[] ComponentFields(Type type) => componentFields.GetOrAdd(type, static found =>
            {
                var fields = new List<(FieldInfo, string)>();
                for (var level = found; level is not null && level != typeof(Module); level = level.BaseType!)
                {
                    var declared = level.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly);
                    fields.InsertRange(0, declared.Where(MayHoldComponent).Select(field => (field, field.ComponentName())));
                }
                return [.. fields];
            });

            private static bool MayHoldComponent(FieldInfo field) => !field.FieldType.IsValueType
                && (field.FieldType.IsInterface || field.FieldType == typeof(object)
                    || typeof(Module).IsAssignableFrom(field.FieldType) || typeof(Tensor).IsAssignableFrom(field.FieldType));
        }
    }
}
